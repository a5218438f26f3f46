"""Where alerts are kept: on disk before an output sees one, until every output has it, and for a while after.

`store` is the thread and what others see of it, `keeper` what it does: `rows` is the form of one alert, `database` the SQLite file, `disk`
its life, `syncing` forces it to the disk, `recent` is what of it is in memory, `places` how far outputs are, `room` what is removed when
there is too much, `pressure` says so in time. `query` reads for people, `requests` is what commands ask of a running sensor.
"""
