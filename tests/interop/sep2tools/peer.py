"""sep2tools as an oracle, in a Python of its own; prints JSON.

`PEN NAME...` gives an mRID and, for each name, the LFDI of a device behind a cloud.
"""

import json
import sys

import sep2tools

if __name__ == "__main__":
    pen, *names = sys.argv[1:]
    lfdis = [sep2tools.proxy_device_lfdi(int(pen), name, group=False) for name in names]
    print(json.dumps({"mrid": sep2tools.generate_mrid(int(pen), group=False), "lfdis": lfdis}))
