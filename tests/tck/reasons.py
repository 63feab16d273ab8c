"""Assertions of Sparkplug 3.0 that no test shows, and why."""

from collections.abc import Mapping

SERVER = "of MQTT servers: we are a client of one"
UNIQUE = "of the whole installation: whoever gives the names answers for it, a single client cannot see it"
SERVERS = "of several MQTT servers: a host application of ours has one broker, and so has the simulated edge node"
TEMPLATES = "of template definitions and instances: our edge node publishes none, the codec reads and writes them"
CASE = "of names that differ in case alone: a recommendation to whoever gives them"
ORDER = "of values that wait to be sent: our edge node sends one value of a metric in a message"
PROPERTIES = "of properties in births: our edge node has none but the quality, which always bears its type"
WILL = "of a DISCONNECT that asks for the will: our edge node publishes its death itself, which the assertion allows"
BARE = "of a host that goes without DISCONNECT: ours always sends one"
VALUES = "of values of parameters: our edge node publishes no template"

NOT_SHOWN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "conformance-mqtt-qos0",
            "conformance-mqtt-qos1",
            "conformance-mqtt-will-messages",
            "conformance-mqtt-retained",
            "conformance-mqtt-aware-basic",
            "conformance-mqtt-aware-store",
            "conformance-mqtt-aware-nbirth-mqtt-topic",
            "conformance-mqtt-aware-nbirth-mqtt-retain",
            "conformance-mqtt-aware-dbirth-mqtt-topic",
            "conformance-mqtt-aware-dbirth-mqtt-retain",
            "conformance-mqtt-aware-ndeath-timestamp",
        ),
        SERVER,
    ),
    **dict.fromkeys(
        (
            "intro-edge-node-id-uniqueness",
            "topic-structure-namespace-unique-edge-node-descriptor",
            "payloads-nbirth-edge-node-descriptor",
            "operational-behavior-host-application-host-id",
        ),
        UNIQUE,
    ),
    **dict.fromkeys(
        (
            "operational-behavior-edge-node-termination-host-offline-reconnect",
            "operational-behavior-primary-application-state-with-multiple-servers-state-subs",
            "operational-behavior-primary-application-state-with-multiple-servers-state",
            "operational-behavior-primary-application-state-with-multiple-servers-single-server",
            "operational-behavior-primary-application-state-with-multiple-servers-walk",
            "operational-behavior-host-application-multi-server-timestamp",
        ),
        SERVERS,
    ),
    **dict.fromkeys(
        (
            "topics-nbirth-templates",
            "payloads-template-definition-nbirth-only",
            "payloads-template-definition-members",
            "payloads-template-definition-nbirth",
            "payloads-template-definition-parameters",
            "payloads-template-definition-parameters-default",
            "payloads-template-instance-members",
            "payloads-template-instance-members-birth",
            "payloads-template-instance-members-data",
            "payloads-template-instance-parameters",
            "payloads-template-parameter-type-req",
        ),
        TEMPLATES,
    ),
    **dict.fromkeys(("case-sensitivity-sparkplug-ids", "case-sensitivity-metric-names"), CASE),
    **dict.fromkeys(
        ("operational-behavior-data-publish-nbirth-order", "operational-behavior-data-publish-dbirth-order"), ORDER
    ),
    "payloads-metric-propertyvalue-type-req": PROPERTIES,
    "payloads-template-parameter-value": VALUES,
    "payloads-ndeath-will-message-publisher-disconnect-mqtt50": WILL,
    "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet": BARE,
}
"""By the name of the assertion without `tck-id-`."""
