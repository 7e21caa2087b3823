"""Support of a model's operators by targets: [[support]] rows bound to the model."""
