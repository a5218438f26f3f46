"""The contracts of what plugins provide; `tiercel` re-exports all of it."""
