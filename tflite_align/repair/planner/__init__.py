"""Plans: findings and a solution -> a changed model. Nothing is written to a file here."""
