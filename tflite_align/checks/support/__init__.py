"""What targets take of a model's operators: their [[support]] rows bound to the model."""
