// Watches one variable of a server, then reads a few more and writes one.
// Argument: a JSON object {url, directory, node, until, reads, write}; `write` is {nodeId, dataType, value}.
// Watches `node` until it shows `until`. Prints "watching", then one JSON object: every value that came with its
// StatusCode and source time in seconds, value and type of each of `reads`, and the StatusCode of the write.
const { OPCUAClient, MessageSecurityMode, SecurityPolicy, AttributeIds, TimestampsToReturn } = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { DataType, VariantArrayType } = require("node-opcua-variant");

async function main({ url, directory, node, until, reads, write }) {
  const clientCertificateManager = new OPCUACertificateManager({ rootFolder: directory });
  await clientCertificateManager.initialize();
  const client = OPCUAClient.create({
    endpointMustExist: false, securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None,
    clientCertificateManager, connectionStrategy: { maxRetry: 3, initialDelay: 200 },
  });
  await client.connect(url);
  const session = await client.createSession();
  const subscription = await session.createSubscription2({ requestedPublishingInterval: 50, publishingEnabled: true });
  const item = await subscription.monitor(
    { nodeId: node, attributeId: AttributeIds.Value }, { samplingInterval: 0, queueSize: 1000 }, TimestampsToReturn.Both);
  const seen = [];
  await new Promise((resolve) => item.on("changed", (data) => {
    if (!seen.length) console.log("watching");
    seen.push([data.value.value, data.statusCode.name, data.sourceTimestamp ? data.sourceTimestamp.getTime() / 1000 : null]);
    if (data.value.value === until) resolve();
  }));
  const found = await session.read(reads.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
  const code = await session.write({
    nodeId: write.nodeId, attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType[write.dataType], arrayType: VariantArrayType.Scalar, value: write.value } },
  });
  await subscription.terminate();
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify({ seen, reads: found.map((data) => [data.value.value, DataType[data.value.dataType]]), code: code.name }));
}

main(JSON.parse(process.argv[2])).catch((error) => {
  console.log(JSON.stringify({ error: error.message }));
  process.exit(1);
});
