"""Putting it together: the sensor's process (`sensor`), how it is started (`main`), and its access to privilege (`host`)."""
