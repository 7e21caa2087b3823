"""Plans: findings and a solution are turned into a changed model. No file is written here."""
