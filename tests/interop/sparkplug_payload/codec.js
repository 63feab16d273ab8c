// One command a line on standard input, one answer a line: `decode BASE64` or `encode JSON`.
// A number of 64 bits is written {"long": "123"}, bytes are {"base64": "..."}.
const { get } = require("sparkplug-payload");
const Long = require("long");
const spb = get("spBv1.0");

const shown = (key, value) => {
  if (Long.isLong(value)) return { long: value.toString() };
  if (value && value.low !== undefined && value.high !== undefined) {
    return { long: Long.fromBits(value.low, value.high, value.unsigned).toString() };
  }
  if (value && value.type === "Buffer") return { base64: Buffer.from(value.data).toString("base64") };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  return value;
};
const meant = (key, value) => {
  if (value && value.long !== undefined) return Long.fromString(value.long, !value.long.startsWith("-"));
  if (value && value.base64 !== undefined) return Buffer.from(value.base64, "base64");
  return value;
};

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const at = line.indexOf(" ");
  const rest = line.slice(at + 1);
  try {
    if (line.slice(0, at) === "decode") {
      console.log(JSON.stringify(spb.decodePayload(Buffer.from(rest, "base64")), shown));
    } else {
      console.log(JSON.stringify(Buffer.from(spb.encodePayload(JSON.parse(rest, meant))).toString("base64")));
    }
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
});
