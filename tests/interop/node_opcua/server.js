// A DER as docs/opcua.md describes it, on a server that nobody here wrote, with types of its own choice.
// Argument: a directory for its certificates. Prints its port on one line and lives until stdin ends.
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { Variant, DataType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { nodesets } = require("node-opcua-nodesets");

const WRITABLE = {
  LimitMax: DataType.Double, LimitMaxEnabled: DataType.Boolean,
  LimitMin: DataType.Float, LimitMinEnabled: DataType.Boolean,
  Target: DataType.Int32, TargetEnabled: DataType.Boolean,
  FallbackMax: DataType.Double, FallbackMaxEnabled: DataType.Boolean,
  FallbackMin: DataType.Double, FallbackMinEnabled: DataType.Boolean,
  ValidUntil: DataType.DateTime, WatchdogTimeout: DataType.Double,
  Watchdog: DataType.UInt32, Version: DataType.UInt32,
};
const held = Object.fromEntries(Object.entries(WRITABLE).map(([name, type]) =>
  [name, type === DataType.Boolean ? false : type === DataType.DateTime ? new Date(Date.UTC(1601, 0, 1)) : 0]));

async function main(directory) {
  const certificates = new OPCUACertificateManager({ rootFolder: directory, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    hostname: "127.0.0.1", host: "127.0.0.1", port: 0, nodeset_filename: [nodesets.standard],
    serverCertificateManager: certificates, userCertificateManager: certificates,
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:foreign:plant");
  const folder = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "A", nodeId: "s=A" });
  const power = () => (held.LimitMaxEnabled ? Math.min(1e6, held.LimitMax) : 1e6);
  const add = (browseName, dataType, get, set) => own.addVariable({
    componentOf: folder, browseName, nodeId: `s=A.${browseName}`, dataType: DataType[dataType],
    minimumSamplingInterval: 50, accessLevel: set ? 3 : 1, userAccessLevel: set ? 3 : 1,
    value: { get: () => new Variant({ dataType, value: get() }), ...(set ? { set } : {}) },
  });
  add("ActivePower", DataType.Double, power);
  add("ReactivePower", DataType.Float, () => NaN);
  add("LimitMaxInForce", DataType.Double, power);
  for (const [name, type] of Object.entries(WRITABLE)) {
    add(name, type, () => held[name], (variant) => {
      if (name === "LimitMax" && variant.value < 0) return StatusCodes.BadOutOfRange;
      held[name] = variant.value;
      return StatusCodes.Good;
    });
  }
  await server.start();
  console.log(server.endpoints[0].port);
  process.stdin.on("end", () => server.shutdown(0).then(() => process.exit(0))).resume();
}

main(process.argv[2]);
