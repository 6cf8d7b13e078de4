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
#cgo LDFLAGS: -Wl,--wrap=cpu_get_tsc_x86_64 -Wl,--wrap=cpu_ldl_code_ppc -Wl,--wrap=cpu_ldl_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_data_ra_arm -Wl,--wrap=cpu_ldl_data_ra_ppc -Wl,--wrap=cpu_ldl_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_data_ra_x86_64 -Wl,--wrap=cpu_ldl_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldl_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldl_mmuidx_ra_ppc -Wl,--wrap=cpu_ldl_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldl_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_data_ra_aarch64 -Wl,--wrap=cpu_ldq_data_ra_arm -Wl,--wrap=cpu_ldq_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_data_ra_ppc64 -Wl,--wrap=cpu_ldq_data_ra_x86_64 -Wl,--wrap=cpu_ldq_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_mmuidx_ra_arm -Wl,--wrap=cpu_ldq_mmuidx_ra_ppc -Wl,--wrap=cpu_ldq_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldq_mmuidx_ra_x86_64 -Wl,--wrap=cpu_ldsb_data_ra_aarch64 -Wl,--wrap=cpu_ldsb_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_data_ra_ppc -Wl,--wrap=cpu_ldsb_data_ra_ppc64 -Wl,--wrap=cpu_ldsb_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldsb_mmuidx_ra_arm -Wl,--wrap=cpu_ldsb_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsb_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldsb_mmuidx_ra_x86_64 -Wl,--wrap=cpu_ldsw_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_data_ra_arm -Wl,--wrap=cpu_ldsw_data_ra_ppc -Wl,--wrap=cpu_ldsw_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_data_ra_x86_64 -Wl,--wrap=cpu_ldsw_mmuidx_ra_aarch64 -Wl,--wrap=cpu_ldsw_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_ldsw_mmuidx_ra_ppc -Wl,--wrap=cpu_ldsw_mmuidx_ra_ppc64 -Wl,--wrap=cpu_ldsw_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_data_ra_aarch64 -Wl,--wrap=cpu_ldub_data_ra_arm -Wl,--wrap=cpu_ldub_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_data_ra_ppc64 -Wl,--wrap=cpu_ldub_data_ra_x86_64 -Wl,--wrap=cpu_ldub_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_mmuidx_ra_arm -Wl,--wrap=cpu_ldub_mmuidx_ra_ppc -Wl,--wrap=cpu_ldub_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_mmuidx_ra_x86_64 -Wl,--wrap=cpu_lduw_data_ra_aarch64 -Wl,--wrap=cpu_lduw_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_data_ra_ppc -Wl,--wrap=cpu_lduw_data_ra_ppc64 -Wl,--wrap=cpu_lduw_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_mmuidx_ra_aarch64 -Wl,--wrap=cpu_lduw_mmuidx_ra_arm -Wl,--wrap=cpu_lduw_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_lduw_mmuidx_ra_ppc64 -Wl,--wrap=cpu_lduw_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_loop_exit_noexc_aarch64 -Wl,--wrap=cpu_loop_exit_noexc_arm -Wl,--wrap=cpu_loop_exit_noexc_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_loop_exit_noexc_ppc64 -Wl,--wrap=cpu_loop_exit_noexc_x86_64 -Wl,--wrap=cpu_stb_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_data_ra_arm -Wl,--wrap=cpu_stb_data_ra_ppc -Wl,--wrap=cpu_stb_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_data_ra_x86_64 -Wl,--wrap=cpu_stb_mmuidx_ra_aarch64 -Wl,--wrap=cpu_stb_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_stb_mmuidx_ra_ppc -Wl,--wrap=cpu_stb_mmuidx_ra_ppc64 -Wl,--wrap=cpu_stb_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_data_ra_aarch64 -Wl,--wrap=cpu_stl_data_ra_arm -Wl,--wrap=cpu_stl_data_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_data_ra_ppc64 -Wl,--wrap=cpu_stl_data_ra_x86_64 -Wl,--wrap=cpu_stl_mmuidx_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_mmuidx_ra_arm -Wl,--wrap=cpu_stl_mmuidx_ra_ppc -Wl,--wrap=cpu_stl_mmuidx_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stl_mmuidx_ra_x86_64 -Wl,--wrap=cpu_stq_data_ra_aarch64 -Wl,--wrap=cpu_stq_data_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_data_ra_ppc -Wl,--wrap=cpu_stq_data_ra_ppc64 -Wl,--wrap=cpu_stq_data_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_mmuidx_ra_aarch64 -Wl,--wrap=cpu_stq_mmuidx_ra_arm -Wl,--wrap=cpu_stq_mmuidx_ra_ppc
#cgo LDFLAGS: -Wl,--wrap=cpu_stq_mmuidx_ra_ppc64 -Wl,--wrap=cpu_stq_mmuidx_ra_x86_64 -Wl,--wrap=cpu_stw_data_ra_aarch64
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_data_ra_arm -Wl,--wrap=cpu_stw_data_ra_ppc -Wl,--wrap=cpu_stw_data_ra_ppc64
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_data_ra_x86_64 -Wl,--wrap=cpu_stw_mmuidx_ra_aarch64 -Wl,--wrap=cpu_stw_mmuidx_ra_arm
#cgo LDFLAGS: -Wl,--wrap=cpu_stw_mmuidx_ra_ppc -Wl,--wrap=cpu_stw_mmuidx_ra_ppc64 -Wl,--wrap=cpu_stw_mmuidx_ra_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldq_mmu_aarch64 -Wl,--wrap=helper_be_ldq_mmu_arm -Wl,--wrap=helper_be_ldq_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldq_mmu_ppc64 -Wl,--wrap=helper_be_ldq_mmu_x86_64 -Wl,--wrap=helper_be_ldul_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldul_mmu_arm -Wl,--wrap=helper_be_ldul_mmu_ppc -Wl,--wrap=helper_be_ldul_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_be_ldul_mmu_x86_64 -Wl,--wrap=helper_be_lduw_mmu_aarch64 -Wl,--wrap=helper_be_lduw_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_be_lduw_mmu_ppc -Wl,--wrap=helper_be_lduw_mmu_ppc64 -Wl,--wrap=helper_be_lduw_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stl_mmu_aarch64 -Wl,--wrap=helper_be_stl_mmu_arm -Wl,--wrap=helper_be_stl_mmu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_be_stl_mmu_ppc64 -Wl,--wrap=helper_be_stl_mmu_x86_64 -Wl,--wrap=helper_be_stq_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stq_mmu_arm -Wl,--wrap=helper_be_stq_mmu_ppc -Wl,--wrap=helper_be_stq_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_be_stq_mmu_x86_64 -Wl,--wrap=helper_be_stw_mmu_aarch64 -Wl,--wrap=helper_be_stw_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_be_stw_mmu_ppc -Wl,--wrap=helper_be_stw_mmu_ppc64 -Wl,--wrap=helper_be_stw_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_dc_zva_aarch64 -Wl,--wrap=helper_dcbz_ppc -Wl,--wrap=helper_dcbz_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_f2xm1_x86_64 -Wl,--wrap=helper_fclex_x86_64 -Wl,--wrap=helper_fcmpo -Wl,--wrap=helper_fcmpu
#cgo LDFLAGS: -Wl,--wrap=helper_fcos_x86_64 -Wl,--wrap=helper_fctid -Wl,--wrap=helper_fctid_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctid_ppc64 -Wl,--wrap=helper_fctidu -Wl,--wrap=helper_fctidu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctidu_ppc64 -Wl,--wrap=helper_fctiduz -Wl,--wrap=helper_fctiduz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiduz_ppc64 -Wl,--wrap=helper_fctidz -Wl,--wrap=helper_fctidz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctidz_ppc64 -Wl,--wrap=helper_fctiw -Wl,--wrap=helper_fctiw_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiw_ppc64 -Wl,--wrap=helper_fctiwu -Wl,--wrap=helper_fctiwu_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwu_ppc64 -Wl,--wrap=helper_fctiwuz -Wl,--wrap=helper_fctiwuz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwuz_ppc64 -Wl,--wrap=helper_fctiwz -Wl,--wrap=helper_fctiwz_ppc
#cgo LDFLAGS: -Wl,--wrap=helper_fctiwz_ppc64 -Wl,--wrap=helper_fdiv_ST0_FT0_x86_64 -Wl,--wrap=helper_fdiv_STN_ST0_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fdivr_ST0_FT0_x86_64 -Wl,--wrap=helper_fdivr_STN_ST0_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fisttl_ST0_x86_64 -Wl,--wrap=helper_fisttll_ST0_x86_64 -Wl,--wrap=helper_fldcw_x86_64 -Wl,--wrap=helper_fldenv_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fldl_FT0_x86_64 -Wl,--wrap=helper_fldl_ST0_x86_64 -Wl,--wrap=helper_flds_FT0_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_flds_ST0_x86_64 -Wl,--wrap=helper_float_check_status -Wl,--wrap=helper_fninit_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fnstsw_x86_64 -Wl,--wrap=helper_fpatan_x86_64 -Wl,--wrap=helper_fprem1_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fprem_x86_64 -Wl,--wrap=helper_fpscr_clrbit -Wl,--wrap=helper_fpscr_setbit
#cgo LDFLAGS: -Wl,--wrap=helper_fptan_x86_64 -Wl,--wrap=helper_frstor_x86_64 -Wl,--wrap=helper_fsave_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fscale_x86_64 -Wl,--wrap=helper_fsin_x86_64 -Wl,--wrap=helper_fsincos_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fstenv_x86_64 -Wl,--wrap=helper_fstl_ST0_x86_64 -Wl,--wrap=helper_fsts_ST0_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fwait_x86_64 -Wl,--wrap=helper_fxrstor_x86_64 -Wl,--wrap=helper_fxsave_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_fxtract_x86_64 -Wl,--wrap=helper_fyl2x_x86_64 -Wl,--wrap=helper_fyl2xp1_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_inb_x86_64 -Wl,--wrap=helper_inl_x86_64 -Wl,--wrap=helper_inw_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_ldmxcsr_x86_64 -Wl,--wrap=helper_le_ldq_mmu_aarch64 -Wl,--wrap=helper_le_ldq_mmu_arm
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
#cgo LDFLAGS: -Wl,--wrap=helper_outl_x86_64 -Wl,--wrap=helper_outw_x86_64 -Wl,--wrap=helper_rcpps_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_rcpss_x86_64 -Wl,--wrap=helper_reset_fpstatus -Wl,--wrap=helper_ret_ldub_mmu_aarch64
#cgo LDFLAGS: -Wl,--wrap=helper_ret_ldub_mmu_arm -Wl,--wrap=helper_ret_ldub_mmu_ppc -Wl,--wrap=helper_ret_ldub_mmu_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_ret_ldub_mmu_x86_64 -Wl,--wrap=helper_ret_stb_mmu_aarch64 -Wl,--wrap=helper_ret_stb_mmu_arm
#cgo LDFLAGS: -Wl,--wrap=helper_ret_stb_mmu_ppc -Wl,--wrap=helper_ret_stb_mmu_ppc64 -Wl,--wrap=helper_ret_stb_mmu_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_roundpd_xmm_x86_64 -Wl,--wrap=helper_roundps_xmm_x86_64 -Wl,--wrap=helper_roundsd_xmm_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_roundss_xmm_x86_64 -Wl,--wrap=helper_rsm_x86_64 -Wl,--wrap=helper_rsqrtps_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_rsqrtss_x86_64 -Wl,--wrap=helper_stmw_ppc -Wl,--wrap=helper_stmw_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_store_fpscr -Wl,--wrap=helper_stsw_ppc -Wl,--wrap=helper_stsw_ppc64
#cgo LDFLAGS: -Wl,--wrap=helper_wfe_arm -Wl,--wrap=helper_xrstor_x86_64 -Wl,--wrap=helper_xsave_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_xsaveopt_x86_64 -Wl,--wrap=helper_xscmpexpdp -Wl,--wrap=helper_xscmpexpqp
#cgo LDFLAGS: -Wl,--wrap=helper_xscmpodp -Wl,--wrap=helper_xscmpoqp -Wl,--wrap=helper_xscmpudp -Wl,--wrap=helper_xscmpuqp
#cgo LDFLAGS: -Wl,--wrap=helper_xstdivdp -Wl,--wrap=helper_xstsqrtdp -Wl,--wrap=helper_xststdcdp -Wl,--wrap=helper_xststdcqp
#cgo LDFLAGS: -Wl,--wrap=helper_xststdcsp -Wl,--wrap=helper_xvtdivdp
#cgo LDFLAGS: -Wl,--wrap=helper_xvtdivsp -Wl,--wrap=helper_xvtsqrtdp -Wl,--wrap=helper_xvtsqrtsp -Wl,--wrap=helper_xvtstdcdp
#cgo LDFLAGS: -Wl,--wrap=helper_xvtstdcsp -Wl,--wrap=helper_yield_arm
#cgo LDFLAGS: -Wl,--wrap=helper_pcmpestri_xmm_x86_64 -Wl,--wrap=helper_pcmpestrm_xmm_x86_64
#cgo LDFLAGS: -Wl,--wrap=cpu_ldub_code_x86_64 -Wl,--wrap=tcg_gen_op2_x86_64
#cgo LDFLAGS: -Wl,--wrap=helper_pcmpistri_xmm_x86_64 -Wl,--wrap=helper_pcmpistrm_xmm_x86_64
#cgo LDFLAGS: -Wl,--wrap=qemu_clock_get_ns -Wl,--wrap=qemu_guest_getrandom -Wl,--wrap=tb_gen_code_aarch64
#cgo LDFLAGS: -Wl,--wrap=tb_gen_code_arm -Wl,--wrap=tb_gen_code_ppc -Wl,--wrap=tb_gen_code_ppc64
#cgo LDFLAGS: -Wl,--wrap=tb_gen_code_x86_64 -Wl,--wrap=tcg_gen_op3_x86_64 -Wl,--wrap=tlb_flush_page_aarch64
#cgo LDFLAGS: -Wl,--wrap=tlb_flush_page_arm -Wl,--wrap=tlb_flush_page_ppc -Wl,--wrap=tlb_flush_page_ppc64
#cgo LDFLAGS: -Wl,--wrap=tlb_flush_page_x86_64 -Wl,--wrap=tlb_set_page_aarch64 -Wl,--wrap=tlb_set_page_arm
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_ppc -Wl,--wrap=tlb_set_page_ppc64 -Wl,--wrap=tlb_set_page_with_attrs_aarch64
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_with_attrs_arm -Wl,--wrap=tlb_set_page_with_attrs_ppc
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_with_attrs_ppc64 -Wl,--wrap=tlb_set_page_with_attrs_x86_64
#cgo LDFLAGS: -Wl,--wrap=tlb_set_page_x86_64 -Wl,--wrap=update_mxcsr_status_x86_64
*/
import "C"
