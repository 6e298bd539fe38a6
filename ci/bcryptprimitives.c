/* A stand-in for Windows' bcryptprimitives.dll, of which Rust's standard library imports this one function and which
 * Wine 8 does not have. */

#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return RtlGenRandom(data, (ULONG)length);
}
