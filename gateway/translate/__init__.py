"""From the zone file to the facts and settings that each room speaks: units become SI, names become values."""
