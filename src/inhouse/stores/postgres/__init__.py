"""PostgreSQL, from version 13 on, as the database of any number of processes.

`driver.Postgres` is the `Database`: `writer` commits units in groups over one connection, `readers`
lends a few connections to queries, `listener` hears what other processes committed. A `session` is
one connection; `address` says where, `faults` what a failure means, `migrate` keeps the schema.
Nothing here knows a table.
"""
