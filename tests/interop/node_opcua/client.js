// Reads, writes and watches a DER at a server: what an engineer's tool would do.
// Arguments: URL, NodeId of the folder, directory for its certificates. Prints one JSON object.
const { OPCUAClient, MessageSecurityMode, SecurityPolicy } = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { DataType, VariantArrayType } = require("node-opcua-variant");
const { AttributeIds, TimestampsToReturn } = require("node-opcua-client");

async function main(url, folder, directory) {
  const clientCertificateManager = new OPCUACertificateManager({ rootFolder: directory });
  await clientCertificateManager.initialize();
  const client = OPCUAClient.create({
    endpointMustExist: false, securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None,
    clientCertificateManager, connectionStrategy: { maxRetry: 3, initialDelay: 200 },
  });
  await client.connect(url);
  const session = await client.createSession();
  const found = await session.browse(folder);
  const names = found.references.map((reference) => reference.browseName.name);
  const seen = [];
  const subscription = await session.createSubscription2({ requestedPublishingInterval: 50, publishingEnabled: true });
  const item = await subscription.monitor(
    { nodeId: `${folder}.ActivePower`, attributeId: AttributeIds.Value },
    { samplingInterval: 50, queueSize: 10 }, TimestampsToReturn.Both);
  const limited = new Promise((resolve) => item.on("changed", (data) => {
    seen.push(data.value.value);
    if (data.value.value === 3e5) resolve();
  }));
  const value = (name, dataType, content) => ({
    nodeId: `${folder}.${name}`, attributeId: AttributeIds.Value, value: { value: { dataType, arrayType: VariantArrayType.Scalar, value: content } },
  });
  const codes = await session.write([
    value("LimitMax", DataType.Double, 3e5),
    value("LimitMaxEnabled", DataType.Boolean, true),
    value("ValidUntil", DataType.DateTime, new Date(Date.now() + 60000)),
    value("Version", DataType.Int64, [0, 7]),
  ]);
  await limited;
  const refused = await session.write([value("ActivePower", DataType.Double, 1)]);
  await subscription.terminate();
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify({
    names, seen, codes: codes.map((code) => code.name), refused: refused.map((code) => code.name),
  }));
}

main(...process.argv.slice(2));
