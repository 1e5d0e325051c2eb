"""What nano can talk about: written down as data, spoken by templates."""
