"""Tests of rules: events as plain fields or from a capture, judged by the production engine (docs/testing-rules.md)."""
