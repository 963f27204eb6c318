"""Language models: script breakdowns and proposed prompts, asked for, answered, edited and used."""
