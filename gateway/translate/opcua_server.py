"""Settings of the gateway's own OPC UA server, or none where the zone file asks for none."""

from collections.abc import Mapping

from config.opcua_server import OpcUaUser
from config.settings import ZoneFile
from gateway.translate.opcua import MissingPasswordError
from gateway.translate.points import point_of
from protocols.opcua.served import ServedUser, ServerSettings
from protocols.points import Point


def settings(zone: ZoneFile, environment: Mapping[str, str]) -> ServerSettings | None:
    """Where the server listens and whom it lets in; passwords come from the environment, never from the file.

    Raises:
        MissingPasswordError: one is not there.
    """
    server = zone.opcua_server
    if server is None:
        return None
    own = f"urn:ampacity:{zone.zone.id}"
    return ServerSettings(
        host=server.host,
        port=server.port,
        namespace=f"{own}:zone",
        application_uri=server.application_uri or own,
        name=f"Ampacity {zone.zone.id}",
        policies=server.policies,
        certificate=server.certificate_file,
        key=server.key_file,
        trust=server.trust,
        users=tuple(_user(name, user, environment) for name, user in server.users.items()),
        anonymous=server.anonymous,
    )


def points(zone: ZoneFile) -> tuple[Point, ...]:
    """What the zone's stations measure."""
    return tuple({point_of(mapped.point): None for station in zone.stations.values() for mapped in station.points})


def _user(name: str, user: OpcUaUser, environment: Mapping[str, str]) -> ServedUser:
    is_operator = user.role == "operator"
    if user.certificate_file:
        return ServedUser(name, is_operator=is_operator, certificate=user.certificate_file)
    password = environment.get(user.password_variable, "")
    if not password:
        what = f"the password of the OPC UA user {name}"
        raise MissingPasswordError(f"the environment variable {user.password_variable} with {what} is not set")
    return ServedUser(name, is_operator=is_operator, password=password)
