"""What types cannot say: each check finds its fault in a zone that is otherwise good, and says what to do."""

from pathlib import Path
from re import fullmatch

import pytest

from config.checks.opcua import MODES as OPCUA_MODES
from config.checks.opcua import POLICIES as OPCUA_POLICIES
from config.checks.stations import DNP3_POINT, QUANTITIES
from config.loader import ConfigError, load
from config.schema import zone_schema
from config.type_faults import PATTERN_REMEDIES
from protocols.dnp3.settings import LETTERS, place_at
from protocols.opcua import settings as opcua
from protocols.points import Quantity

BASE = Path(__file__).parent / "zone.yaml"
LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
SAME = LFDI.lower()

CLIENT = "protocol: ieee2030_5"
BROKER = "protocol: mqtt, host: 127.0.0.1, topic: b"
KEYLESS = f"Basic256Sha256,SignAndEncrypt,{BASE},/nowhere/k,{BASE}"
SECURED = "write policies: [Aes256Sha256RsaPss], with certificate_file, key_file and trust"
GUARDED = f"policies: [Basic256Sha256], certificate_file: {BASE}"
TRUSTED = f"key_file: {BASE}, trust: {BASE.parent}"
BOTH_USERS = "username: op, password_variable: P, user_certificate_file: u.der, user_key_file: u.pem"
SERVER = 'protocol: opcua, url: "opc.tcp://127.0.0.1:4840"'
TRUSTING = f"{SERVER}, security: 'Basic256Sha256,Sign,{BASE},{BASE}'"

PLANT = (
    "{kind: pv, connection: {bus: B2, export_mw: 1, date: 2020-01-01}, nameplate: {p_max_mw: 1}, owner: AGENT_A, "
    "endpoint: {protocol: modbus, host: 127.0.0.1, port: 1}}"
)
STATION = "endpoint: {protocol: mqtt, host: 127.0.0.1, topic: s}"

OUTSTATION = "protocol: dnp3, host: 127.0.0.1, port: 20000"
RTU = f"{{SCADA: {{endpoint: {{{OUTSTATION}}}, points: "

REAL = "simulated: false"
ALONE = f"parties: {{IESO: {{{REAL}}}, AGENT_A: {{{REAL}}}, AGENT_B: {{{REAL}}}}}"
TOKEN = "{{simulated: false, auth: {{token_sha256: '{}'}}}}"

CASES = {
    "a party that proves nothing by its proof": (
        f"parties: {{AGENT_A: {{{REAL}, auth: {{}}}}}}",
        "AGENT_A has `auth` without any proof",
        "name a token or a certificate; see docs/parties.md",
    ),
    "a simulated party that should prove something": (
        "parties: {AGENT_A: {auth: {token_stored: true}}}",
        "AGENT_A is simulated, and the testbed has no token to show for it",
        "name token_variable in testbed.parties.AGENT_A, or write simulated: false",
    ),
    "keys of a party that nobody simulates": (
        f"parties: {{AGENT_A: {{{REAL}}}}}\ntestbed: {{parties: {{AGENT_A: {{token_variable: T}}}}}}",
        "the testbed does not play AGENT_A",
        "write simulated: true there, or take this away",
    ),
    "half a certificate of a simulated party": (
        f"testbed: {{parties: {{AGENT_A: {{key_file: {BASE}}}}}}}",
        "AGENT_A has `key_file` without `certificate_file`",
        "give both or neither",
    ),
    "a simulated party's token in the clear": (
        "testbed: {gateway_url: 'http://dso.example', parties: {AGENT_A: {token_variable: T}}}",
        "the token of AGENT_A would travel in the clear",
        "write https:// in testbed.gateway_url",
    ),
    "two places for one token": (
        f"parties: {{AGENT_A: {{{REAL}, auth: {{token_stored: true, token_sha256: '{'0' * 64}'}}}}}}",
        "AGENT_A has both `token_sha256` and `token_stored`",
        "keep the one that says where the digest is",
    ),
    "one token of two parties": (
        f"parties: {{AGENT_A: {TOKEN.format('0a' * 32)}, AGENT_B: {TOKEN.format('0A' * 32)}}}",
        "AGENT_B proves itself by what AGENT_A has too",
        "each party needs its own",
    ),
    "a token that is no digest": (
        "parties: {AGENT_A: {auth: {token_sha256: secret}}}",
        "`parties.AGENT_A.auth.token_sha256` is not shown but should match pattern '^$|^[0-9A-Fa-f]{64}$'",
        "write the 64 hexadecimal digits that `ampacity party token` tells",
    ),
    "a certificate that nobody asks for": (
        f"parties: {{AGENT_A: {{{REAL}, auth: {{subject: a.example}}}}}}",
        "AGENT_A would show a certificate that nobody asks for",
        "name in listen.ca_file who vouches for it, with listen.certificate_file and key_file",
    ),
    "an interface with half a certificate": (
        f"listen: {{key_file: {BASE}}}",
        "listen has `key_file` without `certificate_file`",
        "give both or neither",
    ),
    "an authority without TLS": (
        f"listen: {{ca_file: {BASE}}}",
        "listen has `ca_file`, but no `certificate_file`",
        "certificates are shown in TLS alone: give the interface its own",
    ),
    "an interface whose certificate is not there": (
        f"listen: {{certificate_file: /nowhere/c, key_file: {BASE}}}\n{ALONE}",
        "listen: /nowhere/c is not a file",
        "correct the path",
    ),
    "a simulated party that would have to speak TLS": (
        "parties: {AGENT_A: {url: 'https://localhost:1'}}",
        "AGENT_A is simulated, and has no certificate for its https `url`",
        "name certificate_file and key_file in testbed.parties.AGENT_A",
    ),
    "a token in the clear": (
        f"parties: {{AGENT_A: {{{REAL}, url: 'http://a.example', token_variable: T}}}}",
        "the token for AGENT_A would travel in the clear",
        "write https:// in its url",
    ),
    "a certificate for plain HTTP": (
        f"parties: {{AGENT_A: {{ca_file: {BASE}}}}}",
        "AGENT_A has `ca_file`, but its `url` is not https",
        "write https:// there",
    ),
    "a simulated party without an address": (
        "parties: {AGENT_A: {url: ''}}",
        "AGENT_A is simulated, but has no `url`",
        "write where the testbed plays it",
    ),
    "a webhook in the clear": (
        "webhooks: {ERP: {url: 'http://erp.example/in', secret_variable: S}}",
        "what ERP is told would travel in the clear",
        "write https:// there",
    ),
    "a DNP3 address without a kind": (
        f"stations: {RTU}[{{point: L12.current_a, address: 7}}]}}}}",
        "SCADA: `L12.current_a` has the address 7",
        "write kind and index of a DNP3 point, as AI7, BI3, DBI2, CTR0, AO1 or BO1",
    ),
    "a DNP3 index beyond 16 bits": (
        f"stations: {RTU}[{{point: L12.current_a, address: AI65536}}]}}}}",
        "SCADA: `L12.current_a` has the address 'AI65536'",
        "write kind and index of a DNP3 point, as AI7, BI3, DBI2, CTR0, AO1 or BO1",
    ),
    "two values at one DNP3 point": (
        f"stations: {RTU}[{{point: L12.current_a, address: AI7}}, {{point: L11.current_a, address: AI7}}]}}}}",
        "SCADA: `L11.current_a` and `L12.current_a` are both at AI7",
        "move one of them",
    ),
    "two outstations on one address": (
        f"devices: {{A: {{endpoint: {{{OUTSTATION}}}}}, B: {{endpoint: {{{OUTSTATION}, outstation: 2}}}}}}",
        "device B is on port 20000 of this machine, as is device A with the same connection, which DNP3 does not share",
        "give one of them another address",
    ),
    "DNP3 over TLS without a key": (
        f"devices: {{A: {{endpoint: {{{OUTSTATION}, tls: true, ca_file: {BASE}, certificate_file: {BASE}}}}}}}",
        "A has `tls` without all of `ca_file`, `certificate_file` and `key_file`",
        "give all three: DNP3 over TLS is mutual",
    ),
    "physics of a device that is not there": (
        "testbed: {physics: {AA: opender}}",
        "`AA` is not a device",
        "did you mean `A`?",
    ),
    "physics of a device that is real": (
        "devices: {A: {simulated: false}}\ntestbed: {physics: {A: opender}}",
        "A is not simulated: it has physics of its own",
        "remove it",
    ),
    "physics of a load": (
        "devices: {B: {kind: load}}\ntestbed: {physics: {B: opender}}",
        "OpenDER has no model of B, a load of 6 MW",
        "it plays bess, pv, wind that inject",
    ),
    "a façade without an address": (
        "sunspec: {hold_s: 60}",
        "the façade has neither `port` nor `tls_port`",
        "give it one of them",
    ),
    "a façade that shows what is not there": (
        "sunspec: {port: 1502, units: {AA: 1}}",
        "`AA` is not a device",
        "did you mean `A`?",
    ),
    "a façade with two devices at one unit": (
        "sunspec: {port: 1502, units: {A: 1, B: 1}}",
        "`B` and `A` are both unit 1",
        "give one of them another unit id",
    ),
    "a façade over TLS without its files": (
        f"sunspec: {{tls_port: 1802, ca_file: {BASE}}}",
        "the façade has `tls_port` without `certificate_file`, `key_file`",
        "both ends of Modbus/TCP Security show a certificate",
    ),
    "a façade with roles but without TLS": (
        "sunspec: {port: 1502, writers: [bench]}",
        "the façade has `writers`, but no `tls_port`",
        "write tls_port, or take it away",
    ),
    "a façade with a certificate that is not there": (
        f"sunspec: {{tls_port: 1802, ca_file: {BASE}, certificate_file: {BASE}, key_file: /nowhere/k}}",
        "sunspec: /nowhere/k is not a file",
        "correct the path",
    ),
    "a façade on the port of a device": (
        "sunspec: {port: 15021}",
        "device A is on port 15021 of this machine, as is the SunSpec façade",
        "give one of them another address",
    ),
    "telemetry that nobody measures": (
        "telemetry: {points: [{point: L11.current_a, address: AI0}]}",
        "no station measures `L11.current_a`",
        "add it to a station, or name a device, or the zone for the sum of its devices",
    ),
    "telemetry of a sum that is none": (
        "telemetry: {points: [{point: SMALL.voltage_pu, address: AI0}]}",
        "`SMALL.voltage_pu` is no sum over devices",
        "use one of: active_power_w, available_power_w, ceiling_w, floor_w, reactive_power_var",
    ),
    "telemetry of an unknown device": (
        "telemetry: {points: [{point: pv.active_power_w, of: [AA], address: AI0}]}",
        "`AA` is not a device",
        "did you mean `A`?",
    ),
    "telemetry of an unknown quantity": (
        "telemetry: {points: [{point: A.active_power_mw, address: AI0}]}",
        "`active_power_mw` is not a quantity",
        "did you mean `active_power_w`?",
    ),
    "two values for the system operator at one address": (
        "telemetry: {points: [{point: A.active_power_w, address: AI0}, {point: B.active_power_w, address: AI0}]}",
        "`B.active_power_w` and `A.active_power_w` are both at AI0",
        "move one",
    ),
    "telemetry of a power as a switch": (
        "telemetry: {points: [{point: A.active_power_w, address: BI0}]}",
        "`A.active_power_w` cannot be told at BI0",
        "use BI for switch_closed and AI for everything else",
    ),
    "telemetry over TLS without its files": (
        "telemetry: {tls: true, points: [{point: A.active_power_w, address: AI0}]}",
        "telemetry has `tls` without all of `ca_file`, `certificate_file` and `key_file`",
        "give all three: DNP3 over TLS is mutual",
    ),
    "telemetry with a certificate that is not there": (
        "telemetry: {ca_file: /nowhere/c, points: [{point: A.active_power_w, address: AI0}]}",
        "telemetry: /nowhere/c is not a file",
        "correct the path",
    ),
    "telemetry with one link address": (
        "telemetry: {outstation: 4, master: 4, points: [{point: A.active_power_w, address: AI0}]}",
        "telemetry has the link address 4 for both ends",
        "give the system operator's master its own",
    ),
    "telemetry on a port that is taken": (
        "telemetry: {port: 15021, points: [{point: A.active_power_w, address: AI0}]}",
        "device A is on port 15021 of this machine, as is the telemetry outstation",
        "give one of them another address",
    ),
    "DNP3 certificates without TLS": (
        f"devices: {{A: {{endpoint: {{{OUTSTATION}, ca_file: {BASE}}}}}}}",
        "A has `ca_file`, but `tls` is false",
        "write tls: true",
    ),
    "an unknown owner": (
        "devices: {A: {owner: AGENT_AA}}",
        "A is owned by `AGENT_AA`, who is not a party",
        "did you mean `AGENT_A`?",
    ),
    "an owner who may not act": (
        "devices: {A: {owner: IESO}}",
        "A is owned by `IESO`, a party with the role system_operator",
        "name a party with the role dera or host",
    ),
    "a second system operator": (
        'parties: {XESO: {role: system_operator, url: "http://127.0.0.1:1"}}',
        "`XESO` is a second system operator beside `IESO`",
        "keep one, or correct the role",
    ),
    "an unknown bus": (
        "devices: {A: {connection: {bus: Z}}}",
        "device A is connected to bus `Z`, which the network does not have",
        "use one of: B0, B1, B2, B3, B4, B5, B6, B7",
    ),
    "an unknown contingency": (
        "network: {contingencies: [T2, t1]}",
        "the network has no branch `t1`",
        "did you mean `T1`?",
    ),
    "an unknown asset": ("assets: {l12: {ampacity_a: 1}}", "the network has no asset `l12`", "did you mean `L12`?"),
    "a line with a transformer's rating": (
        "assets: {L12: {rating_mva: 1}}",
        "L12 is a line and has no `rating_mva`",
        "remove it",
    ),
    "a bus with an ampacity": ("assets: {B1: {ampacity_a: 1}}", "B1 is a bus and has no `ampacity_a`", "remove it"),
    "an emergency rating below the normal one": (
        "assets: {L12: {emergency_a: 100}}",
        "the emergency rating of L12 (100 A) is below its normal rating (154.2 A)",
        "exchange them, or correct one",
    ),
    "a device named as an asset": (
        f"devices: {{L12: {PLANT}}}",
        "`L12` is also an element of the network",
        "give the device another id",
    ),
    "a nameplate above the connection": (
        "devices: {B: {nameplate: {p_max_mw: 7}}}",
        "B: p_max_mw 7 is more than the connection's export_mw 6",
        "lower p_max_mw, or raise export_mw if the agreement says so",
    ),
    "a nameplate below the connection": (
        "devices: {A: {nameplate: {p_min_mw: -3}}}",
        "A: p_min_mw -3 withdraws more than the connection's import_mw 2.5",
        "raise p_min_mw, or raise import_mw if the agreement says so",
    ),
    "a nameplate upside down": (
        "devices: {B: {nameplate: {p_min_mw: 6.5}, static_p_max_mw: null}}\ntestbed: null",
        "B: p_min_mw 6.5 is above p_max_mw 6",
        "exchange them; injection is positive",
    ),
    "an inverter smaller than its power": (
        "devices: {B: {nameplate: {s_max_mva: 5}}}",
        "B: s_max_mva 5 is less than its largest power 6 MW",
        "write the inverter's apparent power, or lower the power",
    ),
    "a battery without energy": (
        "devices: {A: {nameplate: {energy_mwh: null}}}",
        "A is a battery without `energy_mwh`",
        "add its usable energy",
    ),
    "a battery that can never discharge": (
        "devices: {A: {nameplate: {soc_min_pct: 100}}}",
        "A can never discharge",
        "write less than 100",
    ),
    "a static limit outside the nameplate": (
        "devices: {B: {static_p_max_mw: 6.01}}",
        "B: static_p_max_mw 6.01 is outside the nameplate (0 to 6 MW)",
        "choose a value inside it",
    ),
    "static limits upside down": (
        "devices: {B: {static_p_min_mw: 2}}",
        "B: static_p_min_mw 2 is above static_p_max_mw 1.5",
        "exchange them",
    ),
    "a forecast longer than the look-ahead": (
        "clocks: {look_ahead_intervals: 2}\ndevices: {B: {forecast_mw: [4, 4.2, 4.4]}}",
        "B: 3 forecast values for 2 intervals of look-ahead",
        "shorten the forecast, or raise clocks.look_ahead_intervals",
    ),
    "a forecast beyond the nameplate": (
        "devices: {B: {forecast_mw: [4, 60]}}",
        "B: forecast 60 MW is outside the nameplate (0 to 6 MW)",
        "correct the value; injection is positive",
    ),
    "a lease too short to be refreshed": (
        "devices: {A: {lease_s: 15}}",
        "A: a lease of 15 s cannot be refreshed every 10 s",
        "write 20 or more, or shorten clocks.tick_s",
    ),
    "deadlines in the wrong order": (
        "clocks: {limit_issue_s: 50, notice_s: 45}",
        "clocks.limit_issue_s (50 s) is later than clocks.notice_s (45 s)",
        "shorten the first or lengthen the second",
    ),
    "a limit that expires within its interval": (
        "clocks: {limit_expiry_s: 200}",
        "clocks.interval_s (300 s) is later than clocks.limit_expiry_s (200 s)",
        "shorten the first or lengthen the second",
    ),
    "a load foreseen for longer than the look-ahead": (
        "network: {load_scale: [1, 1, 1]}\nclocks: {look_ahead_intervals: 2}",
        "3 values of load_scale for 2 intervals of look-ahead",
        "shorten the list, or raise clocks.look_ahead_intervals",
    ),
    "two devices on one port and unit": (
        "devices: {B: {endpoint: {port: 15021}}}",
        "device B is on port 15021 of this machine, as is device A with the same unit",
        "give one of them another address",
    ),
    "a device on the port of a party": (
        "devices: {B: {endpoint: {port: 18080}}}",
        "party IESO is on port 18080 of this machine, as is device B",
        "give one of them another address",
    ),
    "two names of this machine are one machine": (
        "devices: {B: {endpoint: {host: localhost, port: 18000}}}",
        "device B is on port 18000 of this machine, as is the parties' interface",
        "give one of them another address",
    ),
    "two parties on one URL": (
        'parties: {AGENT_B: {url: "http://127.0.0.1:18081/"}}',
        "party AGENT_B is on port 18081 of this machine, as is party AGENT_A with the same path",
        "give one of them another address",
    ),
    "a URL with an impossible port": (
        'parties: {AGENT_B: {url: "http://127.0.0.1:99999"}}',
        "`http://127.0.0.1:99999` has no host or an impossible port",
        "write it as scheme://host:port/path",
    ),
    "a simulated device far away": (
        "devices: {A: {endpoint: {host: 10.0.0.7}}}",
        "A is simulated but its address is on 10.0.0.7",
        "write simulated: false for the real one, or 127.0.0.1 for the simulated one",
    ),
    "TLS without its files": (
        f"devices: {{B: {{simulated: false, endpoint: {{transport: tls, ca_file: '{BASE}'}}}}}}\ntestbed: null",
        "B speaks tls without `certificate_file`, `key_file`",
        "both ends of Modbus/TCP Security show a certificate",
    ),
    "a certificate for plain Modbus": (
        f"devices: {{B: {{simulated: false, endpoint: {{ca_file: '{BASE}'}}}}}}\ntestbed: null",
        "B has `ca_file`, but its transport is tcp",
        "write transport: tls",
    ),
    "a speed for Modbus over TCP": (
        "devices: {B: {endpoint: {baud: 9600}}}",
        "B has `baud`, but its transport is tcp",
        "write transport: serial",
    ),
    "a simulated serial line": (
        "devices: {B: {endpoint: {transport: serial, host: /tmp/line}}}",
        "B is simulated, and the testbed's serial line has no parity",
        "write parity: none, or simulated: false",
    ),
    "all units of a serial line": (
        "devices: {B: {endpoint: {transport: rtu_over_tcp, unit: 0}}}",
        "B: unit 0 of a serial line is all of them",
        "write 1 to 247",
    ),
    "two units that disagree on their connection": (
        "devices: {B: {endpoint: {port: 15021, unit: 2, gap_s: 0.05}}}",
        "B shares its connection with A, but not its `gap_s`",
        "write the same for both",
    ),
    "a second connection to a device with one session": (
        "devices: {A: {endpoint: {one_session: true, host: localhost}}, B: {endpoint: {host: localhost}}}",
        "B is on another port of localhost, of which A says that it has one session",
        "use the same port, or take one_session away",
    ),
    "more renewals than memory bears": (
        "devices: {A: {endpoint: {writes_per_day: 100}}}",
        "A: a lease of 900 s is renewed 192 times a day, and writes_per_day is 100",
        "write lease_s: 1728, or allow more writes",
    ),
    "a client with two identities": (
        f"devices: {{A: {{endpoint: {{{CLIENT}, lfdi: {LFDI}, certificate: a.pem}}}}}}",
        "A has both `lfdi` and `certificate`",
        "give one of them, or neither",
    ),
    "two clients with one identity": (
        f"devices: {{A: {{endpoint: {{{CLIENT}, lfdi: {LFDI}}}}}, B: {{endpoint: {{{CLIENT}, lfdi: {SAME}}}}}}}",
        "B has the identity of A",
        "each client needs its own",
    ),
    "a real client whose certificate is nowhere": (
        f"devices: {{B: {{simulated: false, endpoint: {{{CLIENT}, certificate: /nowhere/b.pem}}}}}}\ntestbed: null",
        "B: /nowhere/b.pem is not a file",
        "correct the path",
    ),
    "a real broker whose authorities are nowhere": (
        f"devices: {{B: {{simulated: false, endpoint: {{{BROKER}, tls: true, ca_file: /nowhere/ca}}}}}}\ntestbed: null",
        "B: /nowhere/ca is not a file",
        "correct the path",
    ),
    "authorities for a connection without TLS": (
        f"devices: {{B: {{endpoint: {{{BROKER}, ca_file: ca.pem}}}}}}",
        "B has `ca_file`, but `tls` is false",
        "write tls: true",
    ),
    "a certificate without its key": (
        f"devices: {{B: {{endpoint: {{{BROKER}, tls: true, certificate_file: b.pem}}}}}}",
        "B has `certificate_file` without `key_file`",
        "give both or neither",
    ),
    "a security string with a part left out": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: 'Basic256Sha256,Sign,c.der'}}}}}}",
        "B: the security string is not `policy,mode,certificate,key[,server certificate]`",
        f"use a policy of {', '.join(OPCUA_POLICIES)} and a mode of {', '.join(OPCUA_MODES)}",
    ),
    "a real server whose key is nowhere": (
        f"devices: {{B: {{simulated: false, endpoint: {{{SERVER}, security: '{KEYLESS}'}}}}}}\ntestbed: null",
        "B: /nowhere/k is not a file",
        "correct the path",
    ),
    "security that believes any server": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: 'Basic256Sha256,Sign,c.der,k.pem'}}}}}}",
        "B does not say which server it trusts",
        "add the server's certificate as the fifth part, or `trust` with a directory of certificates",
    ),
    "a server certificate and a trust list": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: '{KEYLESS}', trust: pki}}}}}}",
        "B has both a server certificate and `trust`",
        "leave one of them out",
    ),
    "a trust list for nothing": (
        f"devices: {{B: {{endpoint: {{{SERVER}, trust: pki}}}}}}",
        "B has `trust` without `security`",
        "write how it is secured",
    ),
    "a trust list that is nowhere": (
        f"devices: {{B: {{simulated: false, endpoint: {{{TRUSTING}, trust: /nowhere}}}}}}\ntestbed: null",
        "B: /nowhere is not a directory",
        "correct the path",
    ),
    "a user without a password": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: '{KEYLESS}', username: op}}}}}}",
        "B has `username` without `password_variable`",
        "give both or neither",
    ),
    "a password in the clear": (
        f"devices: {{B: {{endpoint: {{{SERVER}, username: op, password_variable: P}}}}}}",
        "B has a `username`, but its messages are not encrypted",
        "a password travels only over SignAndEncrypt",
    ),
    "a user's certificate without its key": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: '{KEYLESS}', user_certificate_file: u.der}}}}}}",
        "B has `user_certificate_file` without `user_key_file`",
        "give both or neither",
    ),
    "two users in one session": (
        f"devices: {{B: {{endpoint: {{{SERVER}, security: '{KEYLESS}', {BOTH_USERS}}}}}}}",
        "B has `username` and `user_certificate_file`",
        "be one user",
    ),
    "a user's certificate without security": (
        f"devices: {{B: {{endpoint: {{{SERVER}, user_certificate_file: u.der, user_key_file: u.pem}}}}}}",
        "B has a user certificate without `security`",
        "write how it is secured",
    ),
    "two ways to one server": (
        f"devices: {{A: {{endpoint: {{{SERVER}}}}}, B: {{endpoint: {{{SERVER}, node: 'ns=2;s=B', publishing_s: 1}}}}}}",
        "B shares opc.tcp://127.0.0.1:4840 with A, but not its `publishing_s`",
        "they share one session: give both the same",
    ),
    "a server that secures nothing": (
        "opcua_server: {policies: [Basic256Sha256], anonymous: true}",
        "the OPC UA server has policies without `certificate_file`, `key_file`, `trust`",
        "give its certificate, its key and the directory of the clients that it trusts",
    ),
    "a zone shown to everybody": (
        "opcua_server: {host: 0.0.0.0}",
        "the OPC UA server would show the zone to whoever reaches 0.0.0.0",
        SECURED,
    ),
    "a server's certificate for nothing": (
        f"opcua_server: {{certificate_file: {BASE}}}",
        "the OPC UA server has `certificate_file`, but no policies",
        SECURED,
    ),
    "a server's key that is nowhere": (
        f"opcua_server: {{{GUARDED}, key_file: /nowhere/k, trust: {BASE.parent}}}",
        "opcua_server: /nowhere/k is not a file",
        "correct the path",
    ),
    "clients trusted from nowhere": (
        f"opcua_server: {{{GUARDED}, key_file: {BASE}, trust: /nowhere}}",
        "opcua_server: /nowhere is not a directory",
        "correct the path",
    ),
    "a user's certificate that is nowhere": (
        f"opcua_server: {{{GUARDED}, {TRUSTED}, users: {{ops: {{certificate_file: /nowhere/c}}}}}}",
        "opcua_server.users.ops: /nowhere/c is not a file",
        "correct the path",
    ),
    "a user with two proofs": (
        f"opcua_server: {{{GUARDED}, {TRUSTED}, users: {{ops: {{certificate_file: {BASE}, password_variable: P}}}}}}",
        "the OPC UA user ops needs either `password_variable` or `certificate_file`",
        "give one of them",
    ),
    "users without security": (
        "opcua_server: {users: {ops: {password_variable: P}}}",
        "users of the OPC UA server prove nothing without security",
        SECURED,
    ),
    "a server for nobody": (
        f"opcua_server: {{{GUARDED}, {TRUSTED}, anonymous: false}}",
        "nobody may use the OPC UA server",
        "add users, or write anonymous: true",
    ),
    "two servers on one port": (
        "opcua_server: {port: 18000}",
        "the OPC UA server is on port 18000 of this machine, as is the parties' interface with the same port",
        "give one of them another address",
    ),
    "a watchdog shorter than a call": (
        f"devices: {{B: {{endpoint: {{{SERVER}, watchdog_s: 3}}}}}}",
        "B: a watchdog of 3 s cannot outlast a timeout of 2 s",
        "write 4 or more",
    ),
    "a time zone of nowhere": (
        "ieee2030_5: {timezone: America/Nowhere}",
        "`America/Nowhere` is not a known time zone",
        "write an IANA name, as America/Toronto",
    ),
    "a point of nothing": (
        "stations: {SCADA: {points: [{point: X9.current_a, address: 0}]}}",
        "`X9` is neither in the network nor a device",
        "use the id of a device or of an element of the network",
    ),
    "a point of no quantity": (
        "stations: {SCADA: {points: [{point: L12.amperes, address: 0}]}}",
        "`amperes` is not a quantity",
        f"use one of: {', '.join(sorted(QUANTITIES))}",
    ),
    "a point measured twice": (
        "stations: {SCADA: {points: [{point: L12.current_a, address: 0}, {point: L12.current_a, address: 2}]}}",
        "SCADA measures `L12.current_a` twice",
        "remove one",
    ),
    "registers that overlap": (
        "stations: {SCADA: {points: [{point: L12.current_a, address: 0}, {point: L11.current_a, address: 1}]}}",
        "SCADA: `L11.current_a` at 1 overlaps `L12.current_a` (float32 takes 2)",
        "move one of them",
    ),
    "a text where a register is meant": (
        "stations: {SCADA: {points: [{point: L12.current_a, address: ns=2}]}}",
        "SCADA: `L12.current_a` has the address 'ns=2'",
        "write a register from 0 to 65535, or points of SunSpec models everywhere, as 203.W",
    ),
    "a number where a topic is meant": (
        f"stations: {{S: {{{STATION}, points: [{{point: L12.current_a, address: 7}}]}}}}",
        "S: `L12.current_a` has the address 7",
        "write a text: NodeId (OPC UA) or topic (MQTT)",
    ),
    "a station that would be a client": (
        f"stations: {{SCADA: {{endpoint: {{{CLIENT}, lfdi: {LFDI}}}}}}}",
        "station SCADA cannot be an IEEE 2030.5 client",
        "use modbus, opcua, mqtt, sparkplug or dnp3",
    ),
    "a start beyond the nameplate": (
        "testbed: {initial_mw: {A: 3}}",
        "A cannot start at 3 MW, outside its nameplate (-2.5 to 2.5 MW)",
        "choose a value inside it",
    ),
    "a start for a real device": (
        "devices: {B: {simulated: false}}",
        "B is not simulated: the testbed cannot set its power",
        "remove it",
    ),
}

MAPLE = Path(__file__).parents[2] / "config" / "zones" / "maple.yaml"
PHASES = {
    "a phase that a lateral does not have": (
        "devices: {LAT1: {connection: {phases: a}}}",
        "LAT1 is connected to phases `a` of bus F1-07B3, which has b",
        "write b, or name another bus",
    ),
    "phases of a split-phase service": (
        "devices: {FARM1: {connection: {phases: abc}}}",
        "FARM1 is connected to phases `abc` of bus FARM1S, which has s1, s2",
        "write s1s2, or name another bus",
    ),
    "legs of a three-phase bus": (
        "devices: {SUN1: {connection: {phases: s1s2}}}",
        "SUN1 is connected to phases `s1s2` of bus F2-12, which has a, b, c",
        "write abc, or name another bus",
    ),
    "a delta of one phase": (
        "devices: {LAT1: {connection: {wiring: delta}}}",
        "LAT1: `b` cannot be in delta",
        "write wye, or two phases",
    ),
    "a part of a day upside down": (
        "network: {day: {from_h: 14, to_h: 10}}",
        "the day is played from 14 h to 10 h",
        "exchange them",
    ),
    "an unknown kind of the day": (
        "testbed: {follows: {SUN1: snu}}",
        "`snu` is not a kind of the day",
        "did you mean `sun`?",
    ),
    "an unknown follower": ("testbed: {follows: {SUN9: sun}}", "`SUN9` is not a device", "did you mean `SUN2`?"),
    "a real follower": (
        "devices: {SUN1: {simulated: false}}",
        "SUN1 is not simulated: the testbed cannot let it follow anything",
        "remove it",
    ),
}
STRANGERS = {
    "a network without its day": (
        f"network: {{day: {{source: {MAPLE.parent}/networks/none.json}}}}",
        f"{MAPLE.parent}/networks/none.json cannot be read (No such file or directory)",
        "correct the path, relative to the file that names it",
    ),
    "something else in place of the day": (
        f"network: {{day: {{source: {MAPLE.parent}/networks/r1.json}}}}",
        f"{MAPLE.parent}/networks/r1.json is not a day of customers",
        "correct the path, relative to the file that names it",
    ),
}


def faults_on(base: Path, path: Path, text: str) -> list[tuple[str, str]]:
    path.write_text(f"extends: {base}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [(fault.problem, fault.remedy) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "problem", "remedy"), [*PHASES.values(), *STRANGERS.values()], ids=[*PHASES, *STRANGERS]
)
def test_a_check_of_phases_or_of_the_day_finds_its_fault_and_nothing_else(tmp_path, text, problem, remedy):
    assert faults_on(MAPLE, tmp_path / "zone.yaml", text) == [(problem, remedy)]


def test_the_day_of_another_network_is_a_fault(tmp_path):
    day = f"network: {{day: {{source: {MAPLE.parent}/networks/maple_day.json.gz}}}}"
    ((problem, remedy),) = faults_on(BASE, tmp_path / "zone.yaml", day)
    assert problem.startswith("the day has ")
    assert "members that are no load or unit of the network: F1-02A1C1-L, " in problem
    assert remedy == "take the day that was made with this network"


def test_without_a_day_nobody_can_follow_it(tmp_path):
    (fault,) = faults_on(BASE, tmp_path / "zone.yaml", "testbed: {follows: {B: sun}}")
    assert fault == ("B follows `sun`, but the network has no day", "add `network.day`")


def test_beyond_this_machine_nobody_is_believed_without_proof(tmp_path):
    found = dict(faults_on(BASE, tmp_path / "zone.yaml", "listen: {host: 0.0.0.0}"))
    between = found.pop("whoever is between could read and change what parties tell 0.0.0.0")
    assert between == "give listen its certificate_file and key_file, or write host: 127.0.0.1"
    assert set(found) == {
        f"whoever reaches 0.0.0.0 could speak as {name}, who has to prove nothing"
        for name in ("IESO", "AGENT_A", "AGENT_B")
    }


TAP_WITHOUT_COMMAND = """
adms: {tap_changers: {L: {transformers: [T1]}}}
stations: {SCADA: {points: [{point: T1.tap_position, address: 40}]}}
"""
MARKET = {
    "total dso without a node": (
        "zone: {dso_model: T}",
        "a total DSO offers and is dispatched at a node, and the zone has none",
        "add `market: {nodes: [NAME]}` with the name that the system operator uses",
    ),
    "switch that nobody sees": (
        "adms: {switches: {SW12: {}}}",
        "no station measures `SW12.switch_closed`: nobody would see whether it was operated",
        "add it to the points of a station",
    ),
    "tap without a command": (
        TAP_WITHOUT_COMMAND,
        "no command can be given for `T1.tap_position`",
        "give its point a `command`, the NodeId of an OPC UA station that it is written to",
    ),
    "interface to nobody": (
        "interfaces: {HE1: {party: HOST, branch: L31}}",
        "`HOST` is not a party with the role host",
        "use one of: none, or add a party",
    ),
    "payment that does not rise": (
        "market: {programs: {DSO: {payment_scale: [[0.5, 0.5], [0.5, 1.0]]}}}",
        "its pairs do not rise, or leave the range from 0 to 1",
        "write for example [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]",
    ),
    "baseline without a group": (
        "market: {programs: {DSO: {baseline: control_group}}}",
        "there is no control group to compare with",
        "add `control_group: [DEVICE]`, or choose another baseline",
    ),
    "platform that is none": (
        "platform: MSP",
        "`MSP` is not a party with the role platform",
        "add a party with the role platform, or remove it",
    ),
}


@pytest.mark.parametrize(("text", "problem", "remedy"), [*CASES.values(), *MARKET.values()], ids=[*CASES, *MARKET])
def test_a_check_finds_its_fault_and_nothing_else(tmp_path, text, problem, remedy):
    path = tmp_path / "zone.yaml"
    path.write_text(f"extends: {BASE}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [(fault.problem, fault.remedy) for fault in caught.value.faults] == [(problem, remedy)]


def test_a_fault_in_a_value_that_is_given_points_to_its_own_line(tmp_path):
    path = tmp_path / "zone.yaml"
    path.write_text(f"extends: {BASE}\ndevices:\n  B:\n    forecast_mw:\n      - 4\n      - 60\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [fault.place.line for fault in caught.value.faults] == [6]


def test_units_on_one_wire_topics_on_one_broker_and_nodes_on_one_server_share_a_port(tmp_path):
    path = tmp_path / "zone.yaml"
    path.write_text(f"extends: {BASE}\ndevices: {{B: {{endpoint: {{port: 15021, unit: 2}}}}}}\n")
    assert load(path).devices["B"].endpoint.port == 15021


def test_the_words_of_opc_ua_security_are_those_of_the_adapter():
    assert (OPCUA_POLICIES, OPCUA_MODES) == (opcua.POLICIES, opcua.MODES)


def test_the_addresses_of_dnp3_points_are_those_of_the_adapter():
    assert {place_at(f"{letters}0")[0] for letters in LETTERS if fullmatch(DNP3_POINT, f"{letters}0")} == set(
        LETTERS.values()
    )


def test_the_quantities_are_those_of_the_port():
    assert frozenset(quantity.value for quantity in Quantity) == QUANTITIES


def test_every_pattern_of_the_settings_has_a_remedy_in_words():
    def patterns(schema):
        if isinstance(schema, dict):
            if isinstance(schema.get("pattern"), str):
                yield schema["pattern"]
            yield from schema.get("patternProperties", ())
            schema = list(schema.values())
        for part in schema if isinstance(schema, list) else ():
            yield from patterns(part)

    assert set(patterns(zone_schema())) == set(PATTERN_REMEDIES)
