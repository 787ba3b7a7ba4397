export default { test: { globalSetup: "sluice.setup.js", testTimeout: 30_000 } };
