"""A master and an outstation wired back to back in memory, with one clock between them."""

from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import MasterSettings, TaskDone
from protocols.dnp3.readings import Readings
from tests.protocols.dnp3.rtu import Rtu


class Pair:
    """Octets travel at once; `lost` swallows those towards the master, `cut` those towards the outstation."""

    def __init__(self, configs=None, *, outstation=None, event_capacity=1000, **master):
        self.rtu = Rtu(configs, event_capacity=event_capacity, **outstation or {})
        self.rtu.fresh()
        self.now = self.rtu.now
        self.session = MasterSession(MasterSettings(**master))
        self.events = []
        self.lost = self.cut = False
        self.session.connected(self.now)
        self.settle()

    def settle(self):
        while True:
            down = self.session.data_to_send()
            if down and not self.cut:
                self.rtu.events += self.rtu.session.receive(down, self.now)
            up = self.rtu.session.data_to_send()
            if not up and not down:
                return
            if up and not self.lost:
                self.events += self.session.receive(up, self.now)

    def until(self, now):
        """Let time pass, stopping wherever either end asked to be called."""
        while True:
            deadlines = [d for d in (self.session.next_deadline(), self.rtu.session.next_deadline()) if d is not None]
            self.now = min([now, *(max(d, self.now) for d in deadlines)])
            self.events += self.session.poll(self.now)
            self.rtu.now = self.now
            self.rtu.events += self.rtu.session.poll(self.now)
            self.settle()
            if self.now >= now:
                return

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def values(self, kind):
        """Latest value of each point of a kind."""
        return {i: v for r in self.of(Readings) if r.kind is kind for i, v in zip(r.indices, r.values, strict=True)}

    def operate(self, commands, *, select=True):
        task = self.session.operate(commands, select=select, now_s=self.now)
        self.settle()
        return self.done(task)

    def done(self, task):
        return next((event for event in self.of(TaskDone) if event.task == task), None)
