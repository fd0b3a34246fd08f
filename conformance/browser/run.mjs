// Runs the ONNX files that Gradus has written by onnxruntime-web, in a real Chromium, and compares their outputs with those of Gradus.
//
//     GRADUS_ONNX_CASES=/tmp/cases cargo test -p gradus-interchange --lib cases_are_written
//     cd conformance/browser && npm install
//     node run.mjs /tmp/cases /usr/bin/chromium
//
// Prints the largest difference of each case that is more than 1e-6, and one line at the end. Fails if one is more than 1e-4.
import { createServer } from "node:http";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import puppeteer from "puppeteer-core";

const [cases, browserPath] = process.argv.slice(2);
const runtime = join(import.meta.dirname, "node_modules/onnxruntime-web/dist");
const types = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };

const page = `<!doctype html><script src="/runtime/ort.wasm.min.js"></script>`;
const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(request.url.split("?")[0]));
  const file = path.startsWith("/runtime/") ? join(runtime, path.slice(9)) : join(cases, path.slice(7));
  if (path === "/") {
    response.writeHead(200, { "content-type": "text/html" }).end(page);
  } else if ((path.startsWith("/runtime/") || path.startsWith("/cases/")) && existsSync(file)) {
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
  } else {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const address = `http://127.0.0.1:${server.address().port}/`;

// Within the page: the largest difference of a case, relative where numbers are larger than 1.
async function difference(name, inputs, outputs) {
  // An array of NumPy, version 1: the header is a Python literal of type, order and shape.
  async function array(file) {
    const bytes = await (await fetch(`/cases/${name}/${file}`)).arrayBuffer();
    const length = new DataView(bytes).getUint16(8, true);
    const header = new TextDecoder().decode(new Uint8Array(bytes, 10, length));
    const [, code] = header.match(/'descr': '[<|](\w\d)'/);
    const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((part) => part.trim()).map(Number);
    const data = bytes.slice(10 + length);
    switch (code) {
      case "f4": return new ort.Tensor("float32", new Float32Array(data), shape);
      case "f8": return new ort.Tensor("float64", new Float64Array(data), shape);
      case "i8": return new ort.Tensor("int64", new BigInt64Array(data), shape);
      case "i4": return new ort.Tensor("int32", new Int32Array(data), shape);
      case "b1": return new ort.Tensor("bool", new Uint8Array(data), shape);
      default: throw new Error(`${file}: elements ${code}`);
    }
  }
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const model = await (await fetch(`/cases/${name}/model.onnx`)).arrayBuffer();
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const feeds = {};
  for (let place = 0; place < inputs; place += 1) {
    feeds[session.inputNames[place]] = await array(`input_${place}.npy`);
  }
  const found = await session.run(feeds);
  let largest = 0;
  for (let place = 0; place < outputs; place += 1) {
    const expected = await array(`output_${place}.npy`);
    const actual = found[session.outputNames[place]];
    if (`${actual.dims}` !== `${expected.dims}`) {
      throw new Error(`output ${place} has the shape [${actual.dims}], [${expected.dims}] is expected`);
    }
    for (let index = 0; index < expected.data.length; index += 1) {
      const [a, b] = [Number(actual.data[index]), Number(expected.data[index])];
      const error = Object.is(a, b) || a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(b), 1);
      largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
    }
  }
  await session.release();
  return largest;
}

const browser = await puppeteer.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
const tab = await browser.newPage();
await tab.goto(address);
let [largest, failed, refused, run] = [0, 0, 0, 0];
for (const name of readdirSync(cases).sort()) {
  const folder = join(cases, name);
  if (!statSync(folder).isDirectory()) continue;
  if (existsSync(join(folder, "refused.txt"))) {
    refused += 1;
    continue;
  }
  const count = (kind) => readdirSync(folder).filter((file) => file.startsWith(kind)).length;
  run += 1;
  try {
    const found = await tab.evaluate(difference, name, count("input_"), count("output_"));
    largest = Math.max(largest, found);
    if (found > 1e-6) console.log(`${name}: ${found.toExponential(1)}`);
    if (found > 1e-4) failed += 1;
  } catch (error) {
    console.log(`${name}: ${error.message.split("\n")[0]}`);
    failed += 1;
  }
}
const version = await browser.version();
console.log(`${run} cases, ${refused} refused, ${failed} failed, largest difference ${largest.toExponential(1)} (${version})`);
await browser.close();
server.close();
process.exit(failed > 0 || run === 0 ? 1 : 0);
