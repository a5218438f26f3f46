"""From a source to the outputs.

`detect` is the detect thread, `delivery` the asyncio loop, `acks` the acknowledgements that tie the two together. Only batches cross from
one to the other.
"""
