// A bot in Node: takes five kinds of events, and one of the old days, and writes each down as a line of JSON.
//
//   node bot.mjs webhook            Feishu, or a router, pushes to http://127.0.0.1:$PORT/webhook/event
//   node bot.mjs long-connection    it connects by itself
import { appendFile } from 'node:fs/promises';
import http from 'node:http';
import * as lark from '@larksuiteoapi/node-sdk';

const setting = (name, otherwise) => process.env[name] || otherwise;

// What the SDK gives: header and event in one object.
const note = async (data) => {
  // An error is a "no": the event comes again.
  await appendFile(setting('EVENTS', '/dev/stdout'), `${JSON.stringify(data)}\n`);
  return 'success';
};

const events = new lark.EventDispatcher({
  encryptKey: setting('ENCRYPT_KEY', ''),
  verificationToken: setting('VERIFICATION_TOKEN', ''),
}).register({
  'corehr.job_change.status_updated_v2': note,
  'corehr.employee.domain_event_v2': note,
  'corehr.process.approver.updated_v2': note,
  'corehr.department.updated_v2': note,
  'corehr.approval_groups.updated_v2': note,
  approval_instance: note,
});

const modes = {
  webhook() {
    http
      .createServer(lark.adaptDefault('/webhook/event', events, { autoChallenge: true }))
      .listen(Number(setting('PORT', '3000')), '127.0.0.1');
  },
  'long-connection'() {
    const client = new lark.WSClient({
      appId: setting('APP_ID', ''),
      appSecret: setting('APP_SECRET', ''),
      domain: setting('DOMAIN', 'https://open.feishu.cn'), // the one line that changes
    });
    client.start({ eventDispatcher: events });
  },
};

const start = modes[process.argv[2]];
if (!start) {
  console.error('say webhook or long-connection');
  process.exit(1);
}
start();
