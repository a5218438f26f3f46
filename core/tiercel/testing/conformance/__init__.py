"""Falco's conformance vectors, run by the production code: ``python -m tiercel.testing.conformance PATH...``.

A vector file has one JSON object a line; its name says the kind of its cases. One module here runs the cases of one kind.
"""
