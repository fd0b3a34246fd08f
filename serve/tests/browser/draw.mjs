// Draws digits on the page of a server in a real Chromium, by mouse events, and checks what is answered.
//
//     npm install --no-save puppeteer-core            # 24, beside this file or anywhere above it
//     cargo run --release -p gradus-serve --example serve -- --address 127.0.0.1:8501 --stay &
//     CHROMIUM=/usr/bin/chromium node draw.mjs http://127.0.0.1:8501/ PICTURES_FOLDER
//
// It ends with 0 if every digit was recognised, nothing was written to the console, and nothing was fetched from elsewhere.

import puppeteer from "puppeteer-core";

const [url, folder] = process.argv.slice(2);
const circle = (x, y, rx, ry, from = 0, to = 2 * Math.PI) =>
  Array.from({ length: 25 }, (_, i) => from + (to - from) * i / 24).map(t => [x + rx * Math.cos(t), y + ry * Math.sin(t)]);
// Strokes on a field of 1 by 1.
const DIGITS = {
  0: [circle(0.5, 0.5, 0.2, 0.3, -1.6, 4.7)],
  1: [[[0.52, 0.18], [0.5, 0.5], [0.48, 0.82]]],
  2: [[...circle(0.5, 0.34, 0.17, 0.15, -2.9, 0.7), [0.42, 0.68], [0.31, 0.8], [0.5, 0.79], [0.72, 0.8]]],
  3: [[...circle(0.47, 0.34, 0.17, 0.15, -2.6, 1.5), ...circle(0.47, 0.65, 0.2, 0.17, -1.5, 2.6)]],
  4: [[[0.36, 0.2], [0.32, 0.4], [0.31, 0.52], [0.5, 0.53], [0.7, 0.52]], [[0.63, 0.2], [0.61, 0.5], [0.59, 0.82]]],
  5: [[[0.68, 0.2], [0.4, 0.2], [0.38, 0.46], ...circle(0.48, 0.62, 0.19, 0.18, -1.8, 2.4)]],
  6: [[[0.6, 0.17], [0.44, 0.34], [0.36, 0.55], ...circle(0.5, 0.65, 0.15, 0.15, 3.3, -3.2)]],
  7: [[[0.3, 0.22], [0.5, 0.21], [0.7, 0.21], [0.58, 0.5], [0.46, 0.82]]],
  8: [[...circle(0.5, 0.34, 0.13, 0.14, 1.57, -1.57), ...circle(0.5, 0.34, 0.13, 0.14, -1.57, -4.71), ...circle(0.5, 0.66, 0.16, 0.17, -1.57, 4.71)]],
  9: [[...circle(0.5, 0.36, 0.15, 0.16, 0, -6.28), [0.65, 0.36], [0.63, 0.6], [0.58, 0.83]]],
};

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const page = await browser.newPage();
const problems = [];
page.on("console", message => problems.push(`console: ${message.text()}`));
page.on("pageerror", error => problems.push(`error: ${error.message}`));
page.on("request", request => {
  if (!request.url().startsWith(url) && !request.url().startsWith("data:")) problems.push(`fetched ${request.url()}`);
});

async function draw(strokes) {
  await page.click("#clear");
  const box = await (await page.$("#pad")).boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  for (const [first, ...rest] of strokes) {
    await page.mouse.move(...at(first));
    await page.mouse.down();
    for (const place of rest) await page.mouse.move(...at(place), { steps: 2 });
    await page.mouse.up();
  }
}

let wrong = 0;
for (const [view, scheme] of [[{ width: 1000, height: 720 }, "light"], [{ width: 390, height: 844, deviceScaleFactor: 2 }, "dark"]]) {
  await page.setViewport(view);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { waitUntil: "networkidle0" });
  for (const [digit, strokes] of Object.entries(DIGITS)) {
    await draw(strokes);
    const answered = await page
      .waitForFunction(expected => document.body.dataset.answered === expected, { timeout: 3000 }, digit)
      .then(() => digit, () => page.evaluate(() => document.body.dataset.answered));
    console.log(`${scheme}: drew ${digit}, answered ${answered}`);
    if (answered !== digit) {
      wrong += 1;
      await page.screenshot({ path: `${folder}/wrong-${scheme}-${digit}.png` });
    }
    if (digit === "3" || digit === "5") await page.screenshot({ path: `${folder}/page-${scheme}-${digit}.png` });
  }
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  if (width > view.width) problems.push(`the page is ${width} wide in a window of ${view.width}`);
  await page.click("#clear");
  await page.waitForFunction(() => document.body.dataset.answered === "", { timeout: 3000 });
  // The same model by JSON: an example is there, and is answered.
  await page.click("#other");
  await page.click("#ask");
  await page
    .waitForFunction(() => document.querySelector("#result").textContent.startsWith('{"predictions":[['), { timeout: 3000 })
    .catch(() => problems.push("the form was not answered"));
  await page.screenshot({ path: `${folder}/page-${scheme}-form.png` });
  await page.click("#other");
  await page.waitForSelector("#pad", { visible: true, timeout: 3000 });
}
await browser.close();
problems.forEach(problem => console.log(problem));
console.log(wrong === 0 && problems.length === 0 ? "All digits were recognised." : `${wrong} digits were not recognised.`);
process.exit(wrong === 0 && problems.length === 0 ? 0 : 1);
