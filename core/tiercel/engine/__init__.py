"""Planning and evaluation: rules become masks that drop events early, and functions that decide the rest."""
