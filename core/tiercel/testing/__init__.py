"""Rules without a kernel: events as plain fields, rule tests, and Falco's conformance vectors."""
