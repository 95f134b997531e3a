/* Which level of machine code may run here: asked of the processor (cpuid) and of the operating system (xgetbv), because
   registers that the system does not save between threads must not be used. Compiled for the oldest machine. */

const char *processor_level(void);

#if defined(__x86_64__)

enum { EAX, EBX, ECX, EDX };

static void cpuid(unsigned leaf, unsigned out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[EAX]), "=b"(out[EBX]), "=c"(out[ECX]), "=d"(out[EDX]) : "a"(leaf), "c"(0u));
}

static unsigned registers_saved(void) /* 2: xmm, 4: ymm, 0xe0: masks and zmm */
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0u));
    return low;
}

static int has(unsigned word, unsigned bits) { return (word & bits) == bits; }

const char *processor_level(void)
{
    unsigned out[4], basic, extended, leaves, more, saved;
    cpuid(0, out), leaves = out[EAX];
    cpuid(0x80000000u, out), more = out[EAX];
    cpuid(1, out), basic = out[ECX];
    /* sse3, ssse3, fma, cx16, sse4.1, sse4.2, movbe, popcnt, osxsave, avx, f16c */
    const unsigned v3_basic = 1u | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 27
                            | 1u << 28 | 1u << 29;
    if (leaves < 7 || more < 0x80000001u || !has(basic, v3_basic)) return "x86-64";
    cpuid(0x80000001u, out);
    if (!has(out[ECX], 1u | 1u << 5)) return "x86-64"; /* lahf, lzcnt */
    cpuid(7, out), extended = out[EBX];
    saved = registers_saved();
    if (!has(extended, 1u << 3 | 1u << 5 | 1u << 8) || !has(saved, 6)) return "x86-64"; /* bmi1, avx2, bmi2 */
    /* avx512 f, dq, cd, bw, vl */
    const unsigned v4 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    return has(extended, v4) && has(saved, 0xe6) ? "x86-64-v4" : "x86-64-v3";
}

#elif defined(__aarch64__)

const char *processor_level(void) { return "aarch64"; }

#else

const char *processor_level(void) { return "another"; }

#endif
