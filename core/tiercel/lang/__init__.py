"""The condition and output language: parsing, checking against the catalogue of fields, rendering. Knows no rule files."""
