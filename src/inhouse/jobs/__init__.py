"""The durable queue's working half: what runs the jobs that `stores.jobs` keeps.

A job is a row with an id; what it does is a `Handler`. Knows no kind of job in particular.
"""

from inhouse.jobs.handler import Abort, Handler, Retry
from inhouse.jobs.worker import Worker
from inhouse.stores.jobs import Job, Jobs, NewJob

__all__ = ["Abort", "Handler", "Job", "Jobs", "NewJob", "Retry", "Worker"]
