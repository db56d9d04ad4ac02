// Gets a token of provider.mjs and prints it.
//   node token.mjs ISSUER access CLIENT AUDIENCE    an access token for the client itself
//   node token.mjs ISSUER id PERSON                 an ID token of a person, who logs in by the provider's pages
const [issuer, kind, who, audience] = process.argv.slice(2);
const basic = (id) => `Basic ${Buffer.from(`${id}:secret`).toString('base64')}`;

async function token(client, params) {
  const answer = await fetch(`${issuer}/token`, { method: 'POST', headers: { authorization: basic(client) }, body: new URLSearchParams(params) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(body));
  return body;
}

// login follows the provider's pages as a browser does, up to the code.
async function login(person) {
  const jar = new Map();
  const back = 'https://client.example.org/cb';
  let next = `${issuer}/auth?${new URLSearchParams({ client_id: 'web', response_type: 'code', redirect_uri: back, scope: 'openid profile' })}`;
  let form = null;
  for (let i = 0; i < 20; i++) {
    const answer = await fetch(next, { method: form ? 'POST' : 'GET', body: form, redirect: 'manual', headers: { cookie: [...jar].map(([k, v]) => `${k}=${v}`).join('; ') } });
    for (const c of answer.headers.getSetCookie()) {
      const [, name, value] = c.match(/^([^=]+)=([^;]*)/);
      jar.set(name, value);
    }
    form = null;
    const to = answer.headers.get('location');
    if (to?.startsWith(back)) return new URL(to).searchParams.get('code');
    if (to) {
      next = new URL(to, next).href;
      continue;
    }
    const page = await answer.text();
    const prompt = page.match(/name="prompt" value="([a-z]+)"/)?.[1];
    if (!prompt) throw new Error(`no form on ${next}: ${answer.status} ${page.slice(0, 300)}`);
    next = new URL(page.match(/action="([^"]+)"/)?.[1] ?? next, next).href;
    form = new URLSearchParams({ prompt, login: person, password: 'any' });
  }
  throw new Error('the login has no end');
}

if (kind === 'access') {
  console.log((await token(who, { grant_type: 'client_credentials', resource: `urn:${audience}` })).access_token);
} else {
  console.log((await token('web', { grant_type: 'authorization_code', code: await login(who), redirect_uri: 'https://client.example.org/cb' })).id_token);
}
