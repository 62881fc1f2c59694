// Logs the lines of standard input through one of Node's rotating libraries:
// rotate.cjs LIBRARY FOLDER OPTIONS. The options are the library's own, as JSON.

const { EventEmitter } = require('node:events');
const readline = require('node:readline');

const [library, folder, json] = process.argv.slice(2);
const options = JSON.parse(json);
// A rotation gives its stream another listener for a while.
EventEmitter.defaultMaxListeners = 50;

// Each returns [write one line, end].
const libraries = {
  winston: () => byWinston(new (require('winston').transports.File)({ dirname: folder, ...options })),
  'winston-daily-rotate-file': () => {
    const { transports } = require('winston');
    require('winston-daily-rotate-file');
    return byWinston(new transports.DailyRotateFile({ dirname: folder, auditFile: `${folder}/.audit.json`, ...options }));
  },
  'rotating-file-stream': () =>
    ofStream(require('rotating-file-stream').createStream('app.log', { path: folder, ...options })),
  'pino-roll': async () =>
    ofStream(await require('pino-roll')({ file: `${folder}/app`, extension: '.log', ...options })),
  log4js: () => {
    const log4js = require('log4js');
    const layout = { type: 'messagePassThrough' };
    log4js.configure({
      appenders: { app: { filename: `${folder}/app.log`, layout, ...options } },
      categories: { default: { appenders: ['app'], level: 'error' } },
    });
    const log = log4js.getLogger();
    return [line => log.error(line), () => log4js.shutdown()];
  },
  bunyan: () => ofStream(new (require('bunyan').RotatingFileStream)({ path: `${folder}/app.log`, ...options })),
};

function byWinston(transport) {
  const { createLogger, format } = require('winston');
  const log = createLogger({ transports: [transport], format: format.printf(({ message }) => message) });
  return [line => log.error(line), () => log.end()];
}

function ofStream(stream) {
  return [line => stream.write(`${line}\n`), () => stream.end()];
}

(async () => {
  const [write, end] = await libraries[library]();
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', write);
  input.on('close', () => {
    end();
    // Some of them keep a timer for the next rotation.
    setTimeout(() => process.exit(0), 500);
  });
})();
