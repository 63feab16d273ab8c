"""A study that nobody asked, so that what is compiled at first use is compiled before anybody waits for it.

`python -m grid_engine.rehearsal` does so after an installation.
"""

from dataclasses import replace

from grid_engine import feeders
from grid_engine.cycle import answer
from grid_engine.joint import answer as jointly
from grid_engine.model import Network
from grid_engine.planning import places
from grid_engine.results import Purpose, Study

_BAND_PU = (0.999, 1.001)
"""So narrow that somebody has to give way, and the way from a violation to a limit is gone once."""
_POWER_W = 1e6


def rehearse(network: Network) -> None:
    """Answer one small study of every purpose."""
    for place in places(network, _POWER_W)[-1:]:
        wanted = replace(place, requested_w=(place.ceiling_w,))
        study = Study("rehearsal", Purpose.IMPACT, 1, (wanted,), voltage_min_pu=_BAND_PU[0], voltage_max_pu=_BAND_PU[1])
        answer(network, study)
        answer(network, replace(study, purpose=Purpose.ENVELOPE))
        jointly(network, replace(study, purpose=Purpose.JOINT, proof_runs=1))


if __name__ == "__main__":
    rehearse(feeders.load("ieee13"))
