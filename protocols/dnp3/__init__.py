"""DNP3 (IEEE 1815): a sans-I/O master and outstation, and the adapter that puts the master behind the port.

Bottom up: `crc`, `link` (frames), `transport` (segments), `fragment` (application header), `layouts` (every object as a
table), `objects` (object headers and their values), `station` (bytes to fragments, for either role); then `master` and
`outstation`, which take bytes and `now` and give events and bytes; then `adapter`, the only module here that does I/O.
"""
