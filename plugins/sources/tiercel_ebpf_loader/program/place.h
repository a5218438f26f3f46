/* Places: a path's prefixes and an address's networks looked up in maps that the sensor fills. Each look-up says which place atoms may
 * be true and which surely are; a class is only dropped for a sure one after a comparison of bytes. */

#define PREFIX 0                                          /* looked up at every '/', which it ends with */
#define EXACT 1                                           /* the whole path */
#define DIRECTORY 2                                       /* all before the last '/' */
#define NAME 3                                            /* all behind the last '/' */
#define COMPARED 128                                      /* bytes of an entry; of a longer one is never sure */
#define HASHED 255                                        /* a longer path comes up undecided */

struct place_key { u64 hash; u32 set, kind; };
struct place { u64 maybe[PLACE_ROWS], sure[PLACE_ROWS]; u32 len, pad; u8 text[136]; };
struct net_key { u32 prefixlen; u32 set; u8 address[16]; };
struct net { u64 hit[PLACE_ROWS]; };

struct place_filter { u64 bits[FILTER_WORDS]; };          /* Bloom filter with one bit for each entry, by the top of its hash */

BPF_TABLE("hash", struct place_key, struct place, places, SIZED);
BPF_ARRAY(filter, struct place_filter, 1);
BPF_F_TABLE("lpm_trie", struct net_key, struct net, networks, SIZED, 1 /* BPF_F_NO_PREALLOC */);

static __always_inline void place_at(struct paths *s, u64 hash, u32 set, u32 kind, u32 type, u32 from, u32 n)
{
  u32 zero = 0, bit = hash >> (64 - FILTER_BITS);         /* most paths are no entry: a load says so, where a look-up takes ten times as long */
  struct place_filter *f = filter.lookup(&zero);
  if (!f || !(f->bits[(bit >> 6) & (FILTER_WORDS - 1)] & (1ULL << (bit & 63)))) return;
  struct place_key key = { .hash = hash, .set = set, .kind = kind };
  struct place *p = places.lookup(&key);
  if (!p || type >= PLACE_ROWS) return;
  s->h.maybe |= p->maybe[type];
  if (!p->sure[type] || p->len != n) return;
  if (!same_bytes(p->text, COMPARED, s->walk, from, n)) return; /* hashes may collide: believe only the same bytes */
  s->h.sure |= p->sure[type];
}

/* Looks up the path of n bytes at `pos` of s->walk, into s->h. Returns 0 if it is too long, or has too many parts, to be judged. */
static __always_inline int place_path(struct paths *s, u32 set, u32 type, u32 pos, u32 n)
{
  struct hashing *hash = &s->hash;
  u64 slashes;
  u32 zero = 0;
  struct settings *settled = settings.lookup(&zero);
  if (!settled) return 0;
  u64 seed = settled->hash_seed, factor = settled->hash_factor, all = seed, name = seed;
  s->h.maybe = s->h.sure = 0;
  if (n > HASHED) return 0;
  hash->slashes = hash->end = 0;                          /* read back: so the verifier knows nothing of them, at any turn */
  asm volatile("" ::: "memory");
  slashes = hash->slashes;
  u64 directory = 0, end = hash->end;
  NO_UNROLL
  for (u32 i = 0; i < HASHED; i++) {                      /* without branches: the verifier looks at each turn once */
    KEEP(i);
    if (i >= n) break;
    u32 c = s->walk[(pos + i) & PATH_END], differs = c ^ '/';
    u64 is_slash = (u64)((differs - 1) & ~differs) >> 31;  /* 1 for '/', else 0 */
    all = (all ^ c) * factor;
#if PLACE_BY_PREFIX
    struct slash *at = &hash->slash[slashes & 63];
    at->hash = all; at->at = i;
#endif
    slashes += is_slash;
    directory ^= (directory ^ all) & (0 - is_slash);      /* the last slash */
    end ^= (end ^ i) & (0 - is_slash);
#if PLACE_BY_NAME
    name = (name ^ c) * factor;
    name ^= (name ^ seed) & (0 - is_slash);
#endif
  }
  hash->all = all; hash->name = name; hash->directory = directory; hash->slashes = slashes; hash->end = end;
  slashes = hash->slashes;
  if (slashes > STEPS || !slashes) return 0;
#if PLACE_BY_PREFIX
  NO_UNROLL
  for (u32 i = 0; i < STEPS; i++) {
    KEEP(i);
    if (i >= hash->slashes) break;
    place_at(s, hash->slash[i].hash, set, PREFIX, type, pos, hash->slash[i].at + 1);
  }
#endif
#if PLACE_BY_EXACT
  place_at(s, hash->all, set, EXACT, type, pos, n);
#endif
#if PLACE_BY_DIRECTORY || PLACE_BY_NAME
  u32 at = hash->end;
#if PLACE_BY_DIRECTORY
  place_at(s, hash->directory, set, DIRECTORY, type, pos, at + 1); /* with its '/': so that the root is one as well */
#endif
#if PLACE_BY_NAME
  place_at(s, hash->name, set, NAME, type, pos + at + 1, n - at - 1);
#endif
#endif
  return 1;
}
