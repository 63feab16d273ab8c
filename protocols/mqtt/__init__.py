"""DERs behind an MQTT broker, on the documented JSON topics."""
