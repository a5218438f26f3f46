"""From a source to the outputs: the detect thread (`detect`), the delivery on the asyncio loop (`delivery`), and the acknowledgements
that tie the two together (`acks`). Only batches cross from one to the other.
"""
