"""Rules x model -> constraints on slots, and what the solver has to know of each slot."""
