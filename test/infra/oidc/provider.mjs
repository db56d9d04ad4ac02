// An OpenID Connect provider in memory (oidc-provider from npm), for the tests of the alerting's interface.
//   node provider.mjs PORT KID [TTL]    its signing key has the id KID and is made anew; tokens live TTL seconds (60)
// Clients, all with the secret "secret": sre-job and visitor get access tokens for themselves (client_credentials), with groups; web is for people,
// who log in by the provider's own pages, with any password, and are in the group oncall.
import { generateKeyPairSync } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const [port, kid, ttl = '60'] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const key = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
const groups = { 'sre-job': ['sre'], visitor: ['staff'] };
const machine = (id) => ({ client_id: id, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] });

const provider = new Provider(issuer, {
  clients: [
    machine('sre-job'), machine('visitor'), machine('stranger'),
    { client_id: 'web', client_secret: 'secret', redirect_uris: ['https://client.example.org/cb'], grant_types: ['authorization_code'], response_types: ['code'] },
  ],
  jwks: { keys: [key] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  conformIdTokenClaims: false, // the ID token has the claims, not the userinfo endpoint alone
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, groups: ['oncall'] }) }),
  extraTokenClaims: (_, token) => ({ preferred_username: token.clientId, groups: groups[token.clientId] ?? [] }),
  ttl: { ClientCredentials: Number(ttl), IdToken: Number(ttl), AccessToken: Number(ttl), Interaction: 600, Session: 600, Grant: 600 },
  pkce: { required: () => false },
  cookies: { keys: ['of a test'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (!resource.startsWith('urn:')) throw new errors.InvalidTarget();
        return { scope: '', audience: resource.slice(4), accessTokenTTL: Number(ttl), accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('the provider is up'));
