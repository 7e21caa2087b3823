"""The binder: rules and a model -> constraints on slots, and the solver's data about each slot."""
