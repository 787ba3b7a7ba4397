exports.empty = async () => ({ statusCode: 200, body: "ok" });
