"""Rule files: lists, macros and rules, read, put together and checked."""
