// A server whose thousand variables count, secured as strictly as node-opcua allows: no anonymous users, no unknown
// certificates. Arguments: directory for its certificates, a client's certificate (DER) that it trusts.
// Prints its port; then each line "ROUNDS PAUSE_MS" on stdin makes every variable count so often, and is answered
// with "counted ROUNDS". Lives until stdin ends.
const fs = require("fs");
const readline = require("readline");
const { OPCUAServer } = require("node-opcua-server");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { DataType, Variant } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { nodesets } = require("node-opcua-nodesets");

const COUNT = 1000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(directory, client) {
  const certificates = new OPCUACertificateManager({ rootFolder: directory, automaticallyAcceptUnknownCertificate: false });
  await certificates.initialize();
  await certificates.trustCertificate(fs.readFileSync(client));
  const server = new OPCUAServer({
    hostname: "127.0.0.1", host: "127.0.0.1", port: 0, nodeset_filename: [nodesets.standard],
    serverCertificateManager: certificates, userCertificateManager: certificates,
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Aes256_Sha256_RsaPss],
    allowAnonymous: process.argv.includes("anonymous"),
    userManager: { isValidUser: (name, password) => name === "gateway" && password === "correct horse" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:foreign:counters");
  const variables = [];
  for (let i = 0; i < COUNT; i++) {
    const folder = i % 100 === 0 ? own.addObject({ organizedBy: space.rootFolder.objects, browseName: `F${i}` }) : variables.at(-1).folder;
    const node = own.addVariable({
      componentOf: folder, browseName: `N${i}`, nodeId: `s=N${i}`, dataType: "Int32", minimumSamplingInterval: 0,
      value: new Variant({ dataType: DataType.Int32, value: 0 }),
    });
    variables.push({ folder, node });
  }
  await server.start();
  console.log(server.endpoints[0].port);
  let value = 0;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [rounds, ms] = line.split(" ").map(Number);
    for (let round = 0; round < rounds; round++) {
      value += 1;
      for (const { node } of variables) node.setValueFromSource({ dataType: DataType.Int32, value }, StatusCodes.Good);
      await pause(ms);
    }
    console.log(`counted ${rounds}`);
  }
  await server.shutdown(0);
  process.exit(0);
}

main(...process.argv.slice(2));
