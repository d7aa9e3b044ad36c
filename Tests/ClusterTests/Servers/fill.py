"""Writes COUNT keys of SIZE bytes below each of the RESOURCES through etcd's JSON gateway.

usage: fill.py PORT CA CERT KEY COUNT SIZE RESOURCE,RESOURCE...
"""
import base64, http.client, json, random, ssl, sys

port, ca, cert, key, count, size, resources = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
chance = random.Random(1)
encode = lambda raw: base64.b64encode(raw).decode()


def commit(puts):
    connection.request("POST", "/v3/kv/txn", json.dumps({"success": puts}))
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit("%d %s" % (answer.status, body[:200]))


puts, weight = [], 0
for resource in resources.split(","):
    for n in range(int(count)):
        name = "/registry/%s/object-%06d" % (resource, n)
        puts.append({"requestPut": {"key": encode(name.encode()), "value": encode(chance.randbytes(int(size)))}})
        weight += int(size)
        if len(puts) == 100 or weight > 700_000:
            commit(puts)
            puts, weight = [], 0
if puts:
    commit(puts)
