"""Where alerts are kept: on disk before an output sees one, until every output has it, and for a while after.

`rows` is the form of one alert, `database` the SQLite file, `recent` the part of it that is in memory, `store` the thread that owns all of
it, `syncing` forces to the disk. `query` reads for people, `requests` is what commands ask of a running sensor.
"""
