//go:build cgo && unicorn_static

package uc

// With the build tag unicorn_static the program holds libunicorn.a. The shim's
// functions take the place of the library's by ld's --wrap, once for each
// that shim.c names __wrap_; TestWraps holds the list to that.

/*
#cgo CFLAGS: -DUTEMU_STATIC
#cgo LDFLAGS: -l:libunicorn.a -lm -lpthread
#cgo LDFLAGS: -Wl,--wrap=check_exit_request_aarch64 -Wl,--wrap=check_exit_request_arm -Wl,--wrap=check_exit_request_ppc
#cgo LDFLAGS: -Wl,--wrap=check_exit_request_ppc64 -Wl,--wrap=check_exit_request_x86_64 -Wl,--wrap=cpu_exec_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_exec_arm -Wl,--wrap=cpu_exec_ppc -Wl,--wrap=cpu_exec_ppc64 -Wl,--wrap=cpu_exec_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_get_tsc_x86_64 -Wl,--wrap=cpu_ldl_code_ppc -Wl,--wrap=cpu_ldl_data_ra_aarch64 -Wl,--wrap=cpu_ldl_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_data_ra_ppc -Wl,--wrap=cpu_ldl_data_ra_ppc64 -Wl,--wrap=cpu_ldl_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldl_mmuidx_ra_arm -Wl,--wrap=cpu_ldl_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldl_mmuidx_ra_x86_64 -Wl,--wrap=cpu_ldq_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_data_ra_arm -Wl,--wrap=cpu_ldq_data_ra_ppc -Wl,--wrap=cpu_ldq_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_data_ra_x86_64 -Wl,--wrap=cpu_ldq_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldq_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_mmuidx_ra_ppc -Wl,--wrap=cpu_ldq_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldq_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_data_ra_aarch64 -Wl,--wrap=cpu_ldsb_data_ra_arm -Wl,--wrap=cpu_ldsb_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_data_ra_ppc64 -Wl,--wrap=cpu_ldsb_data_ra_x86_64 -Wl,--wrap=cpu_ldsb_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_mmuidx_ra_arm -Wl,--wrap=cpu_ldsb_mmuidx_ra_ppc -Wl,--wrap=cpu_ldsb_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_mmuidx_ra_x86_64 -Wl,--wrap=cpu_ldsw_data_ra_aarch64 -Wl,--wrap=cpu_ldsw_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_data_ra_ppc -Wl,--wrap=cpu_ldsw_data_ra_ppc64 -Wl,--wrap=cpu_ldsw_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldsw_mmuidx_ra_arm -Wl,--wrap=cpu_ldsw_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldsw_mmuidx_ra_x86_64 -Wl,--wrap=cpu_ldub_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_data_ra_arm -Wl,--wrap=cpu_ldub_data_ra_ppc -Wl,--wrap=cpu_ldub_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_data_ra_x86_64 -Wl,--wrap=cpu_ldub_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldub_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_mmuidx_ra_ppc -Wl,--wrap=cpu_ldub_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldub_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_data_ra_aarch64 -Wl,--wrap=cpu_lduw_data_ra_arm -Wl,--wrap=cpu_lduw_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_data_ra_ppc64 -Wl,--wrap=cpu_lduw_data_ra_x86_64 -Wl,--wrap=cpu_lduw_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_mmuidx_ra_arm -Wl,--wrap=cpu_lduw_mmuidx_ra_ppc -Wl,--wrap=cpu_lduw_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_mmuidx_ra_x86_64 -Wl,--wrap=cpu_loop_exit_noexc_aarch64 -Wl,--wrap=cpu_loop_exit_noexc_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_loop_exit_noexc_ppc -Wl,--wrap=cpu_loop_exit_noexc_ppc64 -Wl,--wrap=cpu_loop_exit_noexc_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_data_ra_aarch64 -Wl,--wrap=cpu_stb_data_ra_arm -Wl,--wrap=cpu_stb_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_data_ra_ppc64 -Wl,--wrap=cpu_stb_data_ra_x86_64 -Wl,--wrap=cpu_stb_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_mmuidx_ra_arm -Wl,--wrap=cpu_stb_mmuidx_ra_ppc -Wl,--wrap=cpu_stb_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_mmuidx_ra_x86_64 -Wl,--wrap=cpu_stl_data_ra_aarch64 -Wl,--wrap=cpu_stl_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_data_ra_ppc -Wl,--wrap=cpu_stl_data_ra_ppc64 -Wl,--wrap=cpu_stl_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_mmuidx_ra_aarch64 -Wl,--wrap=cpu_stl_mmuidx_ra_arm -Wl,--wrap=cpu_stl_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_mmuidx_ra_ppc64 -Wl,--wrap=cpu_stl_mmuidx_ra_x86_64 -Wl,--wrap=cpu_stq_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_data_ra_arm -Wl,--wrap=cpu_stq_data_ra_ppc -Wl,--wrap=cpu_stq_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_data_ra_x86_64 -Wl,--wrap=cpu_stq_mmuidx_ra_aarch64 -Wl,--wrap=cpu_stq_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_mmuidx_ra_ppc -Wl,--wrap=cpu_stq_mmuidx_ra_ppc64 -Wl,--wrap=cpu_stq_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_data_ra_aarch64 -Wl,--wrap=cpu_stw_data_ra_arm -Wl,--wrap=cpu_stw_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_data_ra_ppc64 -Wl,--wrap=cpu_stw_data_ra_x86_64 -Wl,--wrap=cpu_stw_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_mmuidx_ra_arm -Wl,--wrap=cpu_stw_mmuidx_ra_ppc -Wl,--wrap=cpu_stw_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_mmuidx_ra_x86_64 -Wl,--wrap=helper_be_ldq_mmu_aarch64 -Wl,--wrap=helper_be_ldq_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldq_mmu_ppc -Wl,--wrap=helper_be_ldq_mmu_ppc64 -Wl,--wrap=helper_be_ldq_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldul_mmu_aarch64 -Wl,--wrap=helper_be_ldul_mmu_arm -Wl,--wrap=helper_be_ldul_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldul_mmu_ppc64 -Wl,--wrap=helper_be_ldul_mmu_x86_64 -Wl,--wrap=helper_be_lduw_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_be_lduw_mmu_arm -Wl,--wrap=helper_be_lduw_mmu_ppc -Wl,--wrap=helper_be_lduw_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_be_lduw_mmu_x86_64 -Wl,--wrap=helper_be_stl_mmu_aarch64 -Wl,--wrap=helper_be_stl_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_be_stl_mmu_ppc -Wl,--wrap=helper_be_stl_mmu_ppc64 -Wl,--wrap=helper_be_stl_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stq_mmu_aarch64 -Wl,--wrap=helper_be_stq_mmu_arm -Wl,--wrap=helper_be_stq_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_be_stq_mmu_ppc64 -Wl,--wrap=helper_be_stq_mmu_x86_64 -Wl,--wrap=helper_be_stw_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stw_mmu_arm -Wl,--wrap=helper_be_stw_mmu_ppc -Wl,--wrap=helper_be_stw_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stw_mmu_x86_64 -Wl,--wrap=helper_dc_zva_aarch64 -Wl,--wrap=helper_dcbz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_dcbz_ppc64 -Wl,--wrap=helper_fcmpo -Wl,--wrap=helper_fcmpu -Wl,--wrap=helper_fctid
#cgo LDFLAGS: -Wl,--wrap=helper_fctid_ppc -Wl,--wrap=helper_fctid_ppc64 -Wl,--wrap=helper_fctidu -Wl,--wrap=helper_fctidu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctidu_ppc64 -Wl,--wrap=helper_fctiduz -Wl,--wrap=helper_fctiduz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiduz_ppc64 -Wl,--wrap=helper_fctidz -Wl,--wrap=helper_fctidz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctidz_ppc64 -Wl,--wrap=helper_fctiw -Wl,--wrap=helper_fctiw_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiw_ppc64 -Wl,--wrap=helper_fctiwu -Wl,--wrap=helper_fctiwu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwu_ppc64 -Wl,--wrap=helper_fctiwuz -Wl,--wrap=helper_fctiwuz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwuz_ppc64 -Wl,--wrap=helper_fctiwz -Wl,--wrap=helper_fctiwz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwz_ppc64 -Wl,--wrap=helper_float_check_status -Wl,--wrap=helper_fpscr_clrbit
#cgo LDFLAGS: -Wl,--wrap=helper_fpscr_setbit -Wl,--wrap=helper_inb_x86_64 -Wl,--wrap=helper_inl_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_inw_x86_64 -Wl,--wrap=helper_le_ldq_mmu_aarch64 -Wl,--wrap=helper_le_ldq_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_le_ldq_mmu_ppc -Wl,--wrap=helper_le_ldq_mmu_ppc64 -Wl,--wrap=helper_le_ldq_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_le_ldul_mmu_aarch64 -Wl,--wrap=helper_le_ldul_mmu_arm -Wl,--wrap=helper_le_ldul_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_le_ldul_mmu_ppc64 -Wl,--wrap=helper_le_ldul_mmu_x86_64 -Wl,--wrap=helper_le_lduw_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_le_lduw_mmu_arm -Wl,--wrap=helper_le_lduw_mmu_ppc -Wl,--wrap=helper_le_lduw_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_le_lduw_mmu_x86_64 -Wl,--wrap=helper_le_stl_mmu_aarch64 -Wl,--wrap=helper_le_stl_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_le_stl_mmu_ppc -Wl,--wrap=helper_le_stl_mmu_ppc64 -Wl,--wrap=helper_le_stl_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_le_stq_mmu_aarch64 -Wl,--wrap=helper_le_stq_mmu_arm -Wl,--wrap=helper_le_stq_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_le_stq_mmu_ppc64 -Wl,--wrap=helper_le_stq_mmu_x86_64 -Wl,--wrap=helper_le_stw_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_le_stw_mmu_arm -Wl,--wrap=helper_le_stw_mmu_ppc -Wl,--wrap=helper_le_stw_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_le_stw_mmu_x86_64 -Wl,--wrap=helper_lmw_ppc -Wl,--wrap=helper_lmw_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_load_tbl_ppc -Wl,--wrap=helper_load_tbl_ppc64 -Wl,--wrap=helper_load_tbu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_load_tbu_ppc64 -Wl,--wrap=helper_lsw_ppc -Wl,--wrap=helper_lsw_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_lswx_ppc -Wl,--wrap=helper_lswx_ppc64 -Wl,--wrap=helper_outb_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_outl_x86_64 -Wl,--wrap=helper_outw_x86_64 -Wl,--wrap=helper_reset_fpstatus
#cgo LDFLAGS: -Wl,--wrap=helper_ret_ldub_mmu_aarch64 -Wl,--wrap=helper_ret_ldub_mmu_arm -Wl,--wrap=helper_ret_ldub_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_ret_ldub_mmu_ppc64 -Wl,--wrap=helper_ret_ldub_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_ret_stb_mmu_aarch64 -Wl,--wrap=helper_ret_stb_mmu_arm -Wl,--wrap=helper_ret_stb_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_ret_stb_mmu_ppc64 -Wl,--wrap=helper_ret_stb_mmu_x86_64 -Wl,--wrap=helper_stmw_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_stmw_ppc64 -Wl,--wrap=helper_store_fpscr -Wl,--wrap=helper_stsw_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_stsw_ppc64 -Wl,--wrap=helper_wfe_arm -Wl,--wrap=helper_xscmpexpdp
#cgo LDFLAGS: -Wl,--wrap=helper_xscmpexpqp -Wl,--wrap=helper_xscmpodp -Wl,--wrap=helper_xscmpoqp -Wl,--wrap=helper_xscmpudp
#cgo LDFLAGS: -Wl,--wrap=helper_xscmpuqp -Wl,--wrap=helper_xstdivdp -Wl,--wrap=helper_xstsqrtdp -Wl,--wrap=helper_xststdcsp
#cgo LDFLAGS: -Wl,--wrap=helper_xvtdivdp -Wl,--wrap=helper_xvtdivsp -Wl,--wrap=helper_xvtsqrtdp -Wl,--wrap=helper_xvtsqrtsp
#cgo LDFLAGS: -Wl,--wrap=helper_yield_arm -Wl,--wrap=qemu_clock_get_ns -Wl,--wrap=qemu_guest_getrandom
#cgo LDFLAGS: -Wl,--wrap=tb_gen_code_aarch64 -Wl,--wrap=tb_gen_code_arm
#cgo LDFLAGS: -Wl,--wrap=tb_gen_code_ppc -Wl,--wrap=tb_gen_code_ppc64 -Wl,--wrap=tb_gen_code_x86_64
#cgo LDFLAGS: -Wl,--wrap=tlb_flush_page_aarch64 -Wl,--wrap=tlb_flush_page_arm -Wl,--wrap=tlb_flush_page_ppc
#cgo LDFLAGS: -Wl,--wrap=tlb_flush_page_ppc64 -Wl,--wrap=tlb_flush_page_x86_64 -Wl,--wrap=tlb_set_page_aarch64
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_arm -Wl,--wrap=tlb_set_page_ppc -Wl,--wrap=tlb_set_page_ppc64
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_with_attrs_aarch64 -Wl,--wrap=tlb_set_page_with_attrs_arm
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_with_attrs_ppc -Wl,--wrap=tlb_set_page_with_attrs_ppc64
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_with_attrs_x86_64 -Wl,--wrap=tlb_set_page_x86_64
*/
import "C"
