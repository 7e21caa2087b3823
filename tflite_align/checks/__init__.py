"""What is wrong: rules bound to a model as constraints, and the findings they give."""
