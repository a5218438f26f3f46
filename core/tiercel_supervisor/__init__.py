"""What stays root: a small process that imports nothing but the standard library, and no plugin.

It starts the sensor as an unprivileged user, keeps duplicates of the descriptors that a loader made (so that what is in the kernel's
ring is not lost with the sensor), starts a new sensor when one dies, and is the broker for what needs root. Its vocabulary is fixed
(`broker.Broker`): open a granted file, have a granted loader make something beside what is in force, put that in force, and the like. The
sensor names grants, never paths.

`__main__` is run as ``python -I -S`` with an explicit path, so that no ``.pth`` file of a wheel runs as root.
"""
