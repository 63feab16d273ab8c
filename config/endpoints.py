"""How a device or station is reached, one type per protocol: the `endpoint` of the zone file."""

from typing import Annotated, Literal

from pydantic import Field

from config.modbus_endpoint import ModbusEndpoint
from config.section import Seconds, Section, TcpPort


class Ieee20305Endpoint(Section):
    """A client of our IEEE 2030.5 server, known by its certificate."""

    protocol: Literal["ieee2030_5"]
    lfdi: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{40}$")] | None = None
    """At most one of `lfdi` and `certificate` is given."""
    certificate: str | None = None
    """PEM file relative to the zone file, from which the LFDI is computed. Neither this nor `lfdi`: the
    file of the device's own name in `ieee2030_5.certificates`."""
    profile: Literal["csip", "csip_aus", "csip_aus_storage"] = "csip"
    """Dialect: limits in percent of the device's setMaxW, or in watts at its connection point (CSIP-AUS 1.2, or
    1.3 with its storage target)."""
    forward_is_generation: bool = False
    """How the client signs its readings: the schema calls forward what is delivered to the customer."""
    pin: Annotated[int, Field(ge=0, le=999_999)] | None = None
    poll_s: Seconds = 300
    """How often the client is asked to fetch its controls."""
    post_s: Seconds | None = None
    """How often the client is asked to post its readings; as often as it polls where absent."""


class OpcUaEndpoint(Section):
    """An OPC UA server."""

    protocol: Literal["opcua"]
    url: Annotated[str, Field(pattern=r"^opc\.tcp://")]
    node: str = ""
    """NodeId of the folder that holds the device's variables; empty where `points` names every node."""
    publishing_s: Seconds = 0.5
    """How often changes are published; everything is read once in twice that time, changed or not."""
    timeout_s: Seconds = 2
    watchdog_s: Seconds = 30
    """Life of the watchdog written with every control, for a device that has one; renewed at half of it."""
    security: str = ""
    """`Policy,Mode,certificate,key[,server certificate]`, for example `Basic256Sha256,Sign,c.der,k.pem,s.der`;
    policies and modes are those of docs/opcua.md. Without the server's certificate `trust` says who is believed."""
    trust: str = ""
    """Directory of trusted certificates, authorities and revocation lists; read anew whenever it changes."""
    username: str = ""
    """Of the session, with its password; else anonymous."""
    password_variable: str = ""
    """Name of the environment variable that holds the password."""
    user_certificate_file: str = ""
    """Of the session, in place of `username`: PEM or DER."""
    user_key_file: str = ""


class BrokerEndpoint(Section):
    """How a broker is reached."""

    host: str
    port: TcpPort = 1883
    version: Literal["5", "3.1.1"] = "5"
    username: str = ""
    password_variable: str = ""
    """Name of the environment variable that holds the password."""
    tls: bool = False
    ca_file: str = ""
    """PEM file of the authorities that may vouch for the broker; empty: those of the operating system."""
    certificate_file: str = ""
    """PEM file with our own certificate, where the broker asks for one."""
    key_file: str = ""


class MqttEndpoint(BrokerEndpoint):
    """A device that speaks the documented JSON topics through a broker."""

    protocol: Literal["mqtt"]
    topic: str
    """Prefix; telemetry, limit, setpoint, acknowledgement and will live below it."""
    timeout_s: Seconds = 2
    """How long a control waits for its device's answer."""
    telemetry_s: Seconds = 1
    """Longest regular pause between two messages of the device."""


SparkplugId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^+#/\x00]+$")]


class SparkplugEndpoint(BrokerEndpoint):
    """A device behind a Sparkplug B edge node, or the node itself, of which the gateway is the host application."""

    protocol: Literal["sparkplug"]
    group: SparkplugId
    node: SparkplugId
    device: Annotated[str, Field(max_length=128, pattern=r"^[^+#/\x00]*$")] = ""
    """Empty: the metrics are those of the edge node itself."""
    host_id: Annotated[str, Field(max_length=128, pattern=r"^[^+#/\x00]*$")] = ""
    """Id of the gateway's STATE messages, which edge nodes know as their primary host; empty: `ampacity-` and the
    zone's id."""
    names: dict[str, str] = Field(default_factory=dict)
    """The device's own names of metrics by those of docs/mqtt.md, such as `Control/ceiling_w: Setpoints/PMax`."""
    scales: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Multiplies the device's value to give watts, by the names of docs/mqtt.md."""
    timeout_s: Seconds = 2
    """How long a control waits until the device repeats it."""
    telemetry_s: Seconds = 1
    """Regular pause between two messages of the device; of one that tells by exception, how often its last value
    is taken as still true."""
    by_exception: bool = True
    """The device speaks only when something changes; false: silence counts as a lost link."""
    reorder_s: Seconds = 2
    """How long a message that is missing in the sequence is waited for."""


LinkAddress = Annotated[int, Field(ge=0, le=65_519)]
"""DNP3 link address; those above are reserved."""


class Dnp3Endpoint(Section):
    """A DNP3 outstation: a DER with the map of IEEE 1815.2, or an RTU whose `points` name its inputs."""

    protocol: Literal["dnp3"]
    host: str
    port: TcpPort = 20_000
    """19999 is registered for DNP3 over TLS."""
    outstation: LinkAddress = 10
    master: LinkAddress = 1
    """Link address of the gateway."""
    poll_s: Seconds = 1
    """How often events are asked for, whether or not the outstation also sends them by itself."""
    integrity_s: Seconds = 3600
    """How often every value is read."""
    timeout_s: Seconds = 2
    unsolicited: bool = True
    """Let the outstation send events by itself."""
    time_sync: Literal["lan", "non_lan", "none"] = "lan"
    """How the outstation is given the time when it asks for it."""
    select: bool = True
    """Select before operate; false operates directly."""
    floor: bool = True
    """Devices: takes a lower limit (AO88). Some take no negative one."""
    connect: bool = True
    """Devices: in an emergency that leaves no power, the connect switch (BO5) is opened where the device shows one."""
    switch_status: Literal["inputs", "outputs"] = "inputs"
    """Devices: switches are read back from BI69 and BI70, or from their own output status."""
    fallback_output: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Devices: analog output for the limit that the device falls back to, in 0.1 %. The map of IEEE 1815.2 has
    none: where absent, what the device falls back to is set at the device itself."""
    tls: bool = False
    ca_file: str = ""
    """PEM file of the authority that vouches for the outstation; as certificate and key, required with `tls`."""
    certificate_file: str = ""
    """PEM file with our own certificate."""
    key_file: str = ""
    server_name: str = ""
    """Name that the outstation's certificate bears; empty: `host`."""


Endpoint = Annotated[
    ModbusEndpoint | Ieee20305Endpoint | OpcUaEndpoint | MqttEndpoint | SparkplugEndpoint | Dnp3Endpoint,
    Field(discriminator="protocol"),
]
