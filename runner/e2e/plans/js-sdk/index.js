'use strict'

// A plan written against the published JavaScript SDK, with one case for each way in which an instance can end.
// The SDK opens a sync client only for functions that take it as their second argument.

const { invokeMap } = require('@testground/sdk')

invokeMap({
  success: async (runenv, client) => {
    const seq = await client.signalEntry('here')
    runenv.recordMessage(`sequence ${seq}`)
  },

  plain: async (runenv) => {
    runenv.recordMessage('no sync client')
  },

  failure: async (runenv, client) => {
    throw new Error('the table is wrong')
  },

  'crash-told': async (runenv, client) => {
    await runenv.recordCrash(new Error('the floor is gone'))
    process.exit(1)
  },

  // Thrown where nobody can catch it: the process dies.
  uncaught: async (runenv, client) => {
    setImmediate(() => { throw new Error('the cellar is gone') })
    await new Promise(() => {})
  },

  sync: syncHeavy,

  // It says so itself, and the SDK says it once more when the function returns.
  'success-twice': async (runenv, client) => {
    await runenv.recordSuccess()
  },

  silent: async (runenv) => {
    process.exit(0)
  },

  'exit-3': async (runenv, client) => {
    process.exit(3)
  }
})

// Every instance signals, waits, publishes and reads what all have published, and all must see one order.
async function syncHeavy (runenv, client) {
  const all = runenv.testInstanceCount
  const rounds = Number(runenv.testInstanceParams.rounds)
  const items = Number(runenv.testInstanceParams.items)

  const me = await client.signalEntry('sequence')
  for (let round = 0; round < rounds; round++) {
    const seq = await client.signalAndWait(`round-${round}`, all)
    if (seq < 1 || seq > all) {
      throw new Error(`round ${round}: signal number ${seq} of ${all}`)
    }
  }

  for (let i = 0; i < items; i++) {
    await client.publish('items', `${me}.${i}`)
  }
  const order = await collect(client, 'items', all * items)
  if (new Set(order).size !== all * items) {
    throw new Error(`${new Set(order).size} different items of ${all * items}`)
  }

  await client.publish('orders', order.join(' '))
  for (const other of await collect(client, 'orders', all)) {
    if (other !== order.join(' ')) {
      throw new Error(`another instance saw another order: ${other}`)
    }
  }
}

// The first n items of a topic.
async function collect (client, topic, n) {
  const { cancel, wait } = await client.subscribe(topic)
  const got = []
  for await (const item of wait) {
    got.push(item)
    if (got.length === n) {
      break
    }
  }
  cancel()
  return got
}
