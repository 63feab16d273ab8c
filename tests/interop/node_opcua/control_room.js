// A control room: watches many variables of a server and writes a few, over None or Aes256_Sha256_RsaPss.
// Argument: a JSON object {url, directory, certificate, key, server, user, password, watch, last, writes}.
// Watches every node in `watch` until each has shown `last`, then writes `writes` (a list of {nodeId, dataType,
// value}) in one call. Prints one JSON object: how many values came, whether all came in order, codes of the writes.
const fs = require("fs");
const {
  OPCUAClient, MessageSecurityMode, SecurityPolicy, AttributeIds, TimestampsToReturn, UserTokenType,
  ClientMonitoredItemGroup,
} = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { DataType, VariantArrayType } = require("node-opcua-variant");

async function main(order) {
  const certificates = new OPCUACertificateManager({ rootFolder: order.directory, automaticallyAcceptUnknownCertificate: false });
  await certificates.initialize();
  if (order.server) await certificates.trustCertificate(fs.readFileSync(order.server));
  const secured = order.certificate !== undefined;
  const client = OPCUAClient.create({
    endpointMustExist: false, clientCertificateManager: certificates, applicationUri: order.uri,
    ...(secured ? { certificateFile: order.certificate, privateKeyFile: order.key } : {}),
    securityMode: secured ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
    securityPolicy: secured ? SecurityPolicy.Aes256_Sha256_RsaPss : SecurityPolicy.None,
    connectionStrategy: { maxRetry: 0 },
  });
  await client.connect(order.url);
  const user = order.user ? { type: UserTokenType.UserName, userName: order.user, password: order.password } : undefined;
  const session = await client.createSession(user);
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100, requestedMaxKeepAliveCount: 20, requestedLifetimeCount: 1000, publishingEnabled: true,
    maxNotificationsPerPublish: 0,
  });
  const last = order.watch.map(() => null);
  let values = 0, disordered = 0, done = 0, finished;
  const all = new Promise((resolve) => (finished = resolve));
  const group = ClientMonitoredItemGroup.create(
    subscription, order.watch.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
    { samplingInterval: 0, queueSize: 1000, discardOldest: true }, TimestampsToReturn.Both);
  group.on("changed", (_item, data, index) => {
    const value = data.value.value;
    if (value === null || value === undefined) return;
    if (last[index] !== null) {
      values += 1;
      if (value !== last[index] + 1) disordered += 1;
    }
    last[index] = value;
    if (value === order.last && ++done === order.watch.length) finished();
  });
  group.on("initialized", () => console.log("watching"));
  if (order.watch.length) await all;
  const codes = order.writes.length ? await session.write(order.writes.map(({ nodeId, dataType, value }) => ({
    nodeId, attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType[dataType], arrayType: VariantArrayType.Scalar, value: dataType === "DateTime" ? new Date(value * 1000) : dataType === "Int64" ? [0, value] : value } },
  }))) : [];
  const reads = order.reads.length ? await session.read(order.reads.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value }))) : [];
  await subscription.terminate();
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify({
    values, disordered, codes: codes.map((code) => code.name), reads: reads.map((data) => [data.value.value, data.statusCode.name]),
  }));
}

main(JSON.parse(process.argv[2])).catch((error) => {
  console.log(JSON.stringify({ error: error.message }));
  process.exit(1);
});
